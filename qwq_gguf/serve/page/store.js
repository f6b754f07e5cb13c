// The history: chats in this browser, bounded. Where there is no storage, nothing is kept.

import { checked } from "./chats.js";

const PREFIX = "qwq-gguf.chat.";
const PREFERENCES = "qwq-gguf.";
const MOST_CHATS = 100;
const MOST = 4_000_000; // characters; browsers allow about five million

/** Reads and writes chats; `storage` is a Storage, or null. */
export class Store {
  constructor(storage) {
    this.storage = storage;
  }

  /** All chats that can be read, the latest first. */
  chats() {
    return this.#keys()
      .map((key) => this.#read(key))
      .filter((chat) => chat !== null)
      .sort((a, b) => b.changed - a.changed);
  }

  get(id) {
    return this.storage && this.#read(PREFIX + id);
  }

  /**
   * Keep a chat; the oldest others make room for it. Returns how many of them had to go, or null if it
   * could not be kept.
   */
  put(chat) {
    if (!this.storage) return null;
    const text = JSON.stringify(chat);
    const others = this.chats().filter((other) => other.id !== chat.id);
    let gone = 0;
    const dropOldest = () => {
      const oldest = others.pop();
      if (oldest) this.remove(oldest.id);
      gone += oldest ? 1 : 0;
      return Boolean(oldest);
    };
    while (others.length >= MOST_CHATS) dropOldest();
    while (this.#size(PREFIX + chat.id) + text.length > MOST && dropOldest());
    for (;;) {
      try {
        this.storage.setItem(PREFIX + chat.id, text);
        return gone;
      } catch {
        if (!dropOldest()) return null;
      }
    }
  }

  remove(id) {
    this.storage?.removeItem(PREFIX + id);
  }

  clear() {
    for (const key of this.#keys()) this.storage.removeItem(key);
  }

  /** What this browser's user likes, by name: theme, open thoughts. */
  preference(name) {
    try {
      return this.storage?.getItem(PREFERENCES + name) ?? null;
    } catch {
      return null;
    }
  }

  prefer(name, value) {
    try {
      if (value === null) this.storage?.removeItem(PREFERENCES + name);
      else this.storage?.setItem(PREFERENCES + name, value);
    } catch {
      // It holds until the page is loaded again.
    }
  }

  #keys() {
    if (!this.storage) return [];
    const keys = Array.from({ length: this.storage.length }, (_, at) => this.storage.key(at));
    return keys.filter((key) => key.startsWith(PREFIX));
  }

  #size(without) {
    const keys = this.#keys().filter((key) => key !== without);
    return keys.reduce((sum, key) => sum + (this.storage.getItem(key)?.length ?? 0), 0);
  }

  #read(key) {
    try {
      return checked(JSON.parse(this.storage.getItem(key)));
    } catch {
      return null;
    }
  }
}

/** This browser's storage, or null where the user allows none. */
export function browserStorage() {
  try {
    const storage = window.localStorage;
    storage.getItem(PREFIX);
    return storage;
  } catch {
    return null;
  }
}
