// The cabinet and its readers, as a member sees them; a shut door lets the key behind it show through.

import { show, svg } from "./dom.js";

const WIDTH = 360;
const GAP = 6;
const SLOT_HEIGHT = 84;
const READER_HEIGHT = 96;
const BEEP_MS = 2500;

export function draw(parent, picture, { selected, select }) {
  const across = picture.slots.length > 16 ? 6 : 4;
  const width = (WIDTH - GAP) / across - GAP;
  const down = Math.ceil(picture.slots.length / across);
  const readersAt = GAP + down * (SLOT_HEIGHT + GAP) + GAP;
  const height = readersAt + READER_HEIGHT + GAP;
  const version = [picture.slots, picture.readers, picture.has_power, selected];
  show(parent, version, () => {
    parent.setAttribute("viewBox", `0 0 ${WIDTH} ${height}`);
    return [
      svg("rect", { class: "body", x: 1, y: 1, width: WIDTH - 2, height: height - 2, rx: 8 }),
      ...picture.slots.map((slot, index) => {
        const x = GAP + (index % across) * (width + GAP);
        const y = GAP + Math.floor(index / across) * (SLOT_HEIGHT + GAP);
        return drawSlot(slot, { x, y, width }, slot.slot === selected, select);
      }),
      ...picture.readers.map((reader, index) => {
        const each = (WIDTH - GAP) / picture.readers.length - GAP;
        return drawReader(reader, { x: GAP + index * (each + GAP), y: readersAt, width: each });
      }),
    ];
  });
}

export function slotWords(slot) {
  const door = slot.is_open ? "open" : "shut";
  const key = slot.key ? `key of ${slot.vehicle}` : "empty";
  return `slot ${slot.slot}, ${door}, ${key}${slot.is_stuck ? ", lock stuck" : ""}`;
}

function drawSlot(slot, { x, y, width }, isSelected, select) {
  const press = () => select(slot.slot);
  const group = svg(
    "g",
    {
      class: `slot ${slot.is_open ? "open" : "shut"}${isSelected ? " selected" : ""}`,
      transform: `translate(${x} ${y})`,
      role: "button",
      tabindex: 0,
      "aria-label": slotWords(slot),
      "aria-pressed": String(isSelected),
      "data-focus": `slot-${slot.slot}`,
      "data-slot": slot.slot,
      onclick: press,
      onkeydown: (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        press();
      },
    },
    svg("rect", { class: "hole", width, height: SLOT_HEIGHT, rx: 4 }),
  );
  if (slot.key) group.append(drawKey(width / 2, 40));
  if (slot.is_open) group.append(svg("path", { class: "door", d: `M0 0 L14 8 V${SLOT_HEIGHT - 8} L0 ${SLOT_HEIGHT} Z` }));
  else group.append(svg("rect", { class: "door", x: 3, y: 3, width: width - 6, height: SLOT_HEIGHT - 6, rx: 3 }));
  if (!slot.is_open && slot.key) group.append(drawKey(width / 2, 40, "behind"));
  group.append(
    svg("text", { class: "number", x: slot.is_open ? 19 : 9, y: 20 }, String(slot.slot)),
    svg(
      "text",
      { class: slot.is_stuck ? "label stuck" : "label", x: width / 2 + (slot.is_open ? 7 : 0), y: SLOT_HEIGHT - 9 },
      slot.is_stuck ? "stuck" : short(slot, width),
    ),
  );
  return group;
}

function short(slot, width) {
  if (!slot.key) return slot.is_open ? "open" : "";
  const room = Math.floor(width / 6.6);
  return slot.vehicle.length <= room ? slot.vehicle : `…${slot.vehicle.slice(1 - room)}`;
}

const drawKey = (x, y, kind = "") =>
  svg(
    "g",
    { class: `key ${kind}`, transform: `translate(${x - 15} ${y - 4})` },
    svg("circle", { cx: 6, cy: 6, r: 5.5 }),
    svg("path", { d: "M11.5 6 H30 V12 M24 6 V11" }),
  );

function drawReader(reader, { x, y, width }) {
  const led = svg("circle", { class: `led ${reader.colour}`, cx: 22, cy: 26, r: 11 });
  blink(led, reader);
  const session = reader.has_keypad ? (reader.in_session ? "asked by its panel" : "no panel asks it") : "only sends";
  const words = reader.means;
  return svg(
    "g",
    {
      class: `reader ${reader.signal ?? "rest"}`,
      transform: `translate(${x} ${y})`,
      role: "img",
      "aria-label": `reader ${reader.name}: ${words}; light ${reader.colour}; ${session}`,
      "data-reader": reader.name,
    },
    svg("rect", { class: "case", width, height: READER_HEIGHT, rx: 6 }),
    led,
    svg("text", { class: "name", x: 42, y: 24 }, reader.name),
    svg("text", { class: "small", x: 42, y: 40 }, session),
    ...wrapped(words, Math.floor((width - 16) / 6.4)).map((line, index) =>
      svg("text", { class: "means", x: 10, y: 62 + index * 16 }, line),
    ),
    ...beep(reader, width),
  );
}

function wrapped(words, room) {
  const lines = [""];
  for (const word of words.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (longer.length > room && lines.at(-1)) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  return lines.slice(0, 2);
}

function blink(led, reader) {
  if (!reader.off_ds || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const turn = reader.on_ds + reader.off_ds;
  const offset = reader.on_ds / turn;
  const frames = [{ opacity: 1 }, { opacity: 1, offset }, { opacity: 0.12, offset }, { opacity: 0.12 }];
  led.animate(frames, { duration: turn * 100, iterations: Infinity });
}

const heard = new Map();

function beep(reader, width) {
  const before = heard.get(reader.name);
  if (before === undefined || reader.buzzes < before.buzzes) heard.set(reader.name, { buzzes: reader.buzzes, until: 0 });
  else if (reader.buzzes > before.buzzes) {
    heard.set(reader.name, { buzzes: reader.buzzes, until: performance.now() + BEEP_MS });
  }
  const left = heard.get(reader.name).until - performance.now();
  if (left <= 0) return [];
  const note = svg("text", { class: "beep", x: width - 10, y: 24 }, `♪ ×${reader.beeps}`);
  setTimeout(() => note.remove(), left);
  return [note];
}
