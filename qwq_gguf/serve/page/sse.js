// Server-sent events out of text that arrives in pieces. Pure.
// https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation

const LONGEST = 4 << 20; // characters of one event; more is no chunk of a chat

/** Collects pieces of a stream; `feed` returns the data of each event that a piece finishes. */
export class EventReader {
  #line = []; // pieces of the line that is not ended
  #data = [];
  #size = 0; // of both
  #halfEnd = false; // a carriage return came last: a line feed would be the rest of it

  feed(piece) {
    const text = this.#halfEnd && piece[0] === "\n" ? piece.slice(1) : piece;
    if (piece) this.#halfEnd = text.endsWith("\r");
    const lines = text.split(/\r\n|\n|\r/);
    const rest = lines.pop();
    const events = [];
    for (const end of lines) {
      this.#line.push(end);
      const line = this.#line.join("");
      this.#line = [];
      if (line !== "") {
        this.#field(line);
        continue;
      }
      if (this.#data.length) events.push(this.#data.join("\n"));
      this.#data = [];
      this.#size = 0;
    }
    this.#line.push(rest);
    this.#size += rest.length;
    if (this.#size > LONGEST) throw new RangeError("The server sent an event without an end.");
    return events;
  }

  #field(line) {
    if (!line.startsWith("data:")) return;
    const value = line.slice(line[5] === " " ? 6 : 5);
    this.#data.push(value);
    this.#size += value.length;
  }
}
