// Single-key shortcuts of lists and of the review page. Off while typing, with modifiers, or by preference.
import { count } from "./selection.js";

export function listKeys() {
  if (document.documentElement.dataset.shortcuts === "off") return;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    const action = ACTIONS[event.key];
    if (action && action(event) !== false) event.preventDefault();
  });
}

const ACTIONS = {
  "?": () => document.querySelector("#shortcuts:not([open])")?.showModal(),
  j: () => move(1),
  k: () => move(-1),
  o: () => open(),
  x: () => select(),
  a: () => prepare("approve"),
  r: () => prepare("reject"),
  u: () => follow(document.querySelector("[data-up]")),
};

function isTyping(target) {
  if (document.querySelector("dialog[open]")) return true;
  return target.matches("textarea, select, input:not([type=checkbox], [type=radio])");
}

const rows = () => [...document.querySelectorAll("[data-row]")];
const current = () => document.querySelector("[data-row][data-current]");

function move(step) {
  const all = rows();
  if (!all.length) return false;
  const index = all.indexOf(current());
  const next = all[Math.min(Math.max(index + step, 0), all.length - 1)];
  current()?.removeAttribute("data-current");
  next.setAttribute("data-current", "");
  next.querySelector("a").focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
  return true;
}

function open() {
  return follow(current()?.querySelector("a"));
}

function follow(link) {
  link?.click();
  return Boolean(link);
}

function select() {
  const box = current()?.querySelector("[data-select]");
  if (!box) return false;
  box.checked = !box.checked;
  count(box.form);
  return true;
}

// Deciding takes a reason: the key chooses the verdict and moves there, sending stays a step of its own.
function prepare(verdict) {
  const form = document.querySelector("form[data-decide]");
  const choice = form?.querySelector(`input[name=verdict][value=${verdict}]`);
  if (!choice) return false;
  const box = current()?.querySelector("[data-select]");
  if (box && !box.checked && !form.querySelector("[data-select]:checked")) select();
  choice.checked = true;
  form.querySelector("[name=reason]").focus();
  return true;
}
