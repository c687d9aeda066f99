// Single-key shortcuts of lists and of the review page. Off while typing, with modifiers, or by preference.
import { count } from "./selection.js";

export function listKeys() {
  if (document.documentElement.dataset.shortcuts === "off") return;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    const action = isGoing ? GOES[event.key] : ACTIONS[event.key];
    isGoing = event.key === "g" && !isGoing;
    if (action && action(event) !== false) event.preventDefault();
  });
}

// `g` begins a way to another page; the next key says which.
let isGoing = false;
const GOES = Object.fromEntries(["i", "s", "a"].map((key) => [key, () => follow(document.querySelector(`[data-go=${key}]`))]));

const ACTIONS = {
  "?": () => document.querySelector("#shortcuts:not([open])")?.showModal(),
  j: () => move(1),
  k: () => move(-1),
  o: () => open(),
  x: () => select(),
  a: () => prepare("approve"),
  r: () => prepare("reject"),
  s: () => putOff(),
  q: () => putOff("changes"),
  c: () => focusOn(document.querySelector("form[data-comment] textarea")),
  "[": () => follow(document.querySelector("[data-before]")),
  "]": () => follow(document.querySelector("[data-after]")),
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

function focusOn(field) {
  field?.focus();
  return Boolean(field);
}

function selectCurrent(form) {
  const box = current()?.querySelector("[data-select]");
  if (box && !box.checked && !form?.querySelector("[data-select]:checked")) select();
}

// Putting off decides nothing: the key unfolds the form and goes there, sending stays a step of its own.
function putOff(until) {
  const fold = document.querySelector("details[data-snooze]");
  if (!fold) return false;
  selectCurrent(fold.closest("form"));
  fold.open = true;
  const choice = fold.querySelector("[name=until]");
  if (!until) return focusOn(choice);
  choice.value = until;
  return focusOn(fold.querySelector("[data-snooze-now]"));
}

// Deciding takes a reason: the key chooses the verdict and moves there, sending stays a step of its own.
function prepare(verdict) {
  const form = document.querySelector("form[data-decide]");
  const choice = form?.querySelector(`input[name=verdict][value=${verdict}]`);
  if (!choice) return false;
  selectCurrent(form);
  choice.checked = true;
  form.querySelector("[name=reason]").focus();
  return true;
}
