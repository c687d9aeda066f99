// Buttons that ask the browser for a passkey, put its answer into their form and send that. Hidden in the markup, shown
// where the browser knows passkeys. The question stands in data-options, or is fetched from data-ask.
export function passkeys() {
  if (!window.PublicKeyCredential) return;
  for (const button of document.querySelectorAll("button[data-passkey]")) {
    button.hidden = false;
    button.addEventListener("click", () => answer(button));
  }
}

async function answer(button) {
  const { form } = button;
  const failed = form.querySelector("[data-passkey-failed]");
  failed.hidden = true;
  button.disabled = true;
  try {
    const options = decoded((await question(button)).publicKey);
    const asked = button.dataset.passkey === "create"
      ? navigator.credentials.create({ publicKey: options })
      : navigator.credentials.get({ publicKey: options });
    form.querySelector("[data-passkey-answer]").value = JSON.stringify(encoded(await asked));
    form.submit();
  } catch {
    failed.hidden = false;
    button.disabled = false;
  }
}

async function question(button) {
  if (button.dataset.options) return JSON.parse(button.dataset.options);
  const token = button.form.elements.csrfmiddlewaretoken.value;
  const response = await fetch(button.dataset.ask, { method: "POST", headers: { "X-CSRFToken": token } });
  if (!response.ok) throw new Error(response.statusText);
  return response.json();
}

function decoded(options) {
  const known = (list) => list?.map((each) => ({ ...each, id: bytes(each.id) }));
  return {
    ...options,
    challenge: bytes(options.challenge),
    ...(options.user && { user: { ...options.user, id: bytes(options.user.id) } }),
    ...(options.allowCredentials && { allowCredentials: known(options.allowCredentials) }),
    ...(options.excludeCredentials && { excludeCredentials: known(options.excludeCredentials) }),
  };
}

function encoded(credential) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = text(credential.response[name]);
  }
  return {
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    response,
    clientExtensionResults: credential.getClientExtensionResults(),
  };
}

function bytes(value) {
  const plain = atob(value.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (character) => character.charCodeAt(0));
}

function text(buffer) {
  const plain = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(plain).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
