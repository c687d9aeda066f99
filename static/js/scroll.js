// What scrolls within the page and holds nothing that takes the focus takes it itself, so that a keyboard can scroll it.
// Named after what it is; while everything fits it is no stop of the Tab key.
const SCROLLS = ".table-wrap, .code, .diff__text";
const TAKES_FOCUS = "a[href], button, input, select, textarea, summary";

export function scrolling() {
  const watcher = new ResizeObserver((entries) => entries.forEach((entry) => settle(entry.target)));
  const watch = (root) => root.querySelectorAll(SCROLLS).forEach((box) => watcher.observe(box));
  watch(document);
  document.addEventListener("htmx:afterSwap", (event) => watch(event.target));
}

function settle(box) {
  const overflows = box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight;
  if (!overflows || box.querySelector(TAKES_FOCUS)) return box.removeAttribute("tabindex");
  box.tabIndex = 0;
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", title(box));
}

function title(box) {
  const named = box.querySelector("caption") ?? box.closest("section, .card, .section, .diff, main")?.querySelector("h1, h2, h3, .diff__field");
  return named?.textContent.trim().replaceAll(/\s+/g, " ") ?? "";
}
