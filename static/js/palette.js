// The command palette: ctrl-K, or `/` where single keys are on, opens a list to jump from. Without it, /find/ is a page.
const dialog = () => document.querySelector("#palette");
const input = () => dialog().querySelector("input");
const options = () => [...dialog().querySelectorAll("[role=option]")];
const chosen = () => dialog().querySelector("[role=option][aria-selected=true]");

export function palette() {
  if (!dialog()) return;
  document.addEventListener("keydown", (event) => {
    if (opens(event) && !document.querySelector("dialog[open]")) open(event);
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-palette]")) open(event);
  });
  dialog().addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) move(event, step);
    if (event.key === "Enter" && chosen()) go(event);
  });
  dialog().addEventListener("htmx:afterSwap", () => choose(options()[0]));
}

function opens(event) {
  if (event.key === "k" && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey) return true;
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return false;
  if (document.documentElement.dataset.shortcuts === "off") return false;
  return !event.target.matches("textarea, select, input:not([type=checkbox], [type=radio])");
}

function open(event) {
  event.preventDefault();
  dialog().showModal();
  input().select();
}

function move(event, step) {
  const all = options();
  if (!all.length) return;
  event.preventDefault();
  const at = all.indexOf(chosen());
  choose(all[(at + step + all.length) % all.length]);
}

function choose(option) {
  chosen()?.setAttribute("aria-selected", "false");
  input().removeAttribute("aria-activedescendant");
  if (!option) return;
  option.setAttribute("aria-selected", "true");
  input().setAttribute("aria-activedescendant", option.id);
  option.scrollIntoView({ block: "nearest" });
}

function go(event) {
  event.preventDefault();
  chosen().click();
}
