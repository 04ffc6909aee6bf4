// Elements, made without markup in strings: nothing that came over a wire is ever read as HTML.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null));
  return element;
}

export const html = (tag, attributes = {}, ...children) =>
  fill(document.createElement(tag), attributes, children);

export const svg = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS(SVG, tag), attributes, children);

export const button = (text, press, attributes = {}) =>
  html("button", { type: "button", onclick: press, ...attributes }, text);

// Puts children there only where they differ from what is there: who stands on a button stays on it.
export function show(parent, version, make) {
  const text = JSON.stringify(version);
  if (parent.dataset.version === text) return;
  const at = [...parent.querySelectorAll("[data-focus]")].find((one) => one === document.activeElement);
  parent.replaceChildren(...make());
  parent.dataset.version = text;
  if (at) parent.querySelector(`[data-focus="${CSS.escape(at.dataset.focus)}"]`)?.focus();
}
