// Buttons that copy the text named in data-copy. Hidden in the markup, shown where the browser can copy.
export function copyButtons() {
  if (!navigator.clipboard) return;
  document.addEventListener("click", copy);
  reveal(document);
  document.addEventListener("htmx:afterSwap", (event) => reveal(event.target));
}

function reveal(root) {
  for (const button of root.querySelectorAll("button[data-copy]")) button.hidden = false;
}

async function copy(event) {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  const label = button.querySelector("[data-label]");
  const before = label.textContent;
  label.textContent = button.dataset.done;
  button.classList.add("is-done");
  setTimeout(() => {
    label.textContent = before;
    button.classList.remove("is-done");
  }, 1500);
}
