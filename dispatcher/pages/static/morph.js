// Makes an element what another one is, and leaves alone what a person has in hand: focus, a selection, an open
// <details>, a form that is being filled in.

const OF_THE_READER = new Set(["open", "value", "checked", "disabled", "data-outcome"]);

function isSame(one, other) {
  if (one.nodeType !== other.nodeType) return false;
  if (one.nodeType !== Node.ELEMENT_NODE) return true;
  return one.tagName === other.tagName && one.id === other.id;
}

function attributes(now, wanted) {
  for (const { name, value } of wanted.attributes) {
    if (!OF_THE_READER.has(name) && now.getAttribute(name) !== value) now.setAttribute(name, value);
  }
  for (const { name } of [...now.attributes]) {
    if (!OF_THE_READER.has(name) && !wanted.hasAttribute(name)) now.removeAttribute(name);
  }
}

function children(now, wanted) {
  const byId = new Map([...now.children].filter((child) => child.id).map((child) => [child.id, child]));
  let place = now.firstChild;
  for (const child of [...wanted.childNodes]) {
    let found = null;
    if (child.id && byId.get(child.id)?.tagName === child.tagName) found = byId.get(child.id);
    else if (place && isSame(place, child)) found = place;
    if (!found) {
      now.insertBefore(document.importNode(child, true), place);
      continue;
    }
    if (found === place) place = place.nextSibling;
    else now.insertBefore(found, place);
    morph(found, child);
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

export function morph(now, wanted) {
  if (now.nodeType !== Node.ELEMENT_NODE) {
    if (now.nodeValue !== wanted.nodeValue) now.nodeValue = wanted.nodeValue;
    return;
  }
  if (now.isEqualNode(wanted) || now.tagName === "OUTPUT" || now.tagName === "TEXTAREA") return;
  attributes(now, wanted);
  children(now, wanted);
}
