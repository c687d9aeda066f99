// A command that unfolds to ask for its reason, or a name: the field gets the focus, Escape and a click elsewhere fold it up.
export function unfolding() {
  document.addEventListener("toggle", (event) => {
    if (event.target.matches(".reason[open]")) event.target.querySelector("input:not([type=hidden])").focus();
  }, true);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") fold(document.querySelector(".reason[open]"));
  });
  document.addEventListener("click", (event) => {
    const open = document.querySelector(".reason[open]");
    if (open && !open.contains(event.target)) open.open = false;
  });
}

function fold(open) {
  if (!open) return;
  open.open = false;
  open.querySelector("summary").focus();
}
