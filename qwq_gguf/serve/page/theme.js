// Runs before anything is drawn, so that a page that is to be dark is never bright first.
try {
  const theme = localStorage.getItem("qwq-gguf.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // No storage: the page follows the system.
}
