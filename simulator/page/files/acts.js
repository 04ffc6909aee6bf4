// What can be done: buttons and forms, each of which is one command.

import { button, byId, html, show } from "./dom.js";
import { slotWords } from "./drawing.js";

const SILENT = ["silent", "mute"];
const AGENT = { running: ["stop", "kill"], stopped: ["start"] };

export class Acts {
  constructor(stage, run) {
    this.stage = stage;
    this.run = run;
    this.bind("card", (of) => `badge ${of.uid} ${of.reader}`);
    this.bind("keypad", (of) => `pin ${of.digits} ${of.reader}`);
    this.bind("jump", (of) => `jump ${of.minutes}`);
    this.bind("fault", (of) => `fault ${of.device} ${of.name} ${of.words}`);
    this.bind("command", (of) => of.line);
    byId("clear-faults").onclick = () => run("clear");
    byId("usages").replaceChildren(...stage.commands.map((one) => html("option", { value: one.usage.split(" ")[0] })));
    byId("commands").replaceChildren(
      ...stage.commands.flatMap((one) => [html("dt", {}, html("code", {}, one.usage)), html("dd", {}, one.what)]),
    );
    this.faults();
    delete byId("people").dataset.version;
  }

  bind(id, line) {
    byId(id).onsubmit = (event) => {
      event.preventDefault();
      this.run(line(Object.fromEntries(new FormData(event.target))).trim());
    };
  }

  faults() {
    const device = byId("fault-device");
    const name = byId("fault-name");
    const told = () => {
      const fault = this.stage.faults.find((one) => one.device === device.value && one.name === name.value);
      byId("fault-what").textContent = fault.what;
      byId("fault-takes").textContent = `Words ${fault.takes} [for <seconds>]`;
    };
    device.replaceChildren(...[...new Set(this.stage.faults.map((one) => one.device))].map(option));
    device.onchange = () => {
      const names = this.stage.faults.filter((one) => one.device === device.value).map((one) => one.name);
      name.replaceChildren(...names.map(option));
      told();
    };
    name.onchange = told;
    device.onchange();
  }

  show(picture, selected) {
    this.slot(picture, selected);
    this.people(picture, selected);
    this.lines(picture);
    this.around(picture);
    const readers = picture.readers.map((one) => one.name);
    const keypads = picture.readers.filter((one) => one.has_keypad).map((one) => one.name);
    show(byId("card-reader"), readers, () => readers.map(option));
    show(byId("keypad-reader"), keypads, () => keypads.map(option));
    show(byId("faults-on"), picture.faults, () =>
      picture.faults.map((fault) => {
        const words = `${fault.device}: ${fault.name} ${fault.words}`;
        const end = () => this.run(`clear ${fault.device} ${fault.name}`);
        return html("li", {}, words, " ", button("End", end, { "data-focus": words }));
      }),
    );
  }

  // One press of a button is one command; its name for assistive technology says where.
  act(text, line, label = text, more = {}) {
    return button(text, () => this.run(line), { "aria-label": label, "data-focus": line, ...more });
  }

  slot(picture, selected) {
    const slot = picture.slots.find((one) => one.slot === selected) ?? picture.slots[0];
    const n = slot.slot;
    show(byId("slot"), [slot, picture.holding], () => {
      const acts = [];
      if (slot.is_open && slot.key) acts.push(this.act("Take the key", `take ${n}`, `Take the key out of slot ${n}`));
      for (const held of slot.key ? [] : picture.holding) {
        acts.push(this.act(`Bring the key of ${held.vehicle}`, `return ${held.tag} ${n}`));
      }
      acts.push(
        slot.is_open
          ? this.act("Shut the door", `close ${n}`, `Shut the door of slot ${n}`)
          : this.act("Open with the mechanical key", `open ${n}`, `Open slot ${n} with the mechanical key`),
      );
      if (slot.is_stuck) acts.push(this.act("Free the lock", "clear cabinet stuck", "Free all stuck locks"));
      else acts.push(this.act("Stick the lock", `fault cabinet stuck ${n}`, `Stick the lock of slot ${n}`));
      const words = slotWords(slot);
      return [html("h3", {}, words[0].toUpperCase() + words.slice(1)), html("div", { class: "row" }, ...acts)];
    });
  }

  people(picture, selected) {
    const slot = picture.slots.find((one) => one.slot === selected);
    const at = slot?.key ? ` ${selected}` : "";
    const people = this.stage.people;
    show(byId("people"), [people, at, picture.holding], () => [
      ...people.map((one) => {
        const acts = [this.act("Show card", `show ${one.id}`, `Show the card of ${one.what}`)];
        if (one.pin) acts.push(this.act(`PIN ${one.pin}`, `pin ${one.pin}`, `Key in the PIN of ${one.what}`));
        if (one.books) {
          const what = one.books && one.id === "staff" ? "Order" : "Book";
          acts.push(this.act(`${what}${at ? ` key ${at.trim()}` : ""}`, `book ${one.id}${at}`, `${what}${at} for ${one.what}`));
        }
        return html("li", { class: "row" }, html("span", { class: "grow" }, one.what), ...acts);
      }),
      ...picture.holding.map((held) => {
        const home = held.home_slot ? `, at home in slot ${held.home_slot}` : "";
        return html("li", { class: "row" }, html("span", { class: "grow" }, `In your hand: key of ${held.vehicle}${home}`));
      }),
    ]);
  }

  lines(picture) {
    show(byId("lines"), [picture.lines, picture.has_power, picture.faults], () => [
      ...picture.lines.map((line) => {
        const act = line.is_plugged
          ? this.act("Pull the cable", `pull-cable ${line.name}`, `Pull the cable of ${line.name}`)
          : this.act("Plug it in", `plug-cable ${line.name}`, `Plug in the cable of ${line.name}`);
        const state = line.is_plugged ? "plugged in" : "pulled";
        const devices = line.devices.map((device) => this.device(device, picture.faults)).filter(Boolean);
        return way(line.is_plugged, `${line.name}: ${state}`, [act, ...devices]);
      }),
      way(picture.has_power, `boards and readers: ${picture.has_power ? "powered" : "without power"}`, [
        picture.has_power ? this.act("Power off", "power off") : this.act("Power on", "power on"),
      ]),
    ]);
  }

  // A board or a reader that is unplugged is silent: the same fault under another name.
  device(device, on) {
    const fault = this.stage.faults.find((one) => one.device === device && SILENT.includes(one.name));
    if (!fault) return null;
    const isOff = on.some((one) => one.device === device && one.name === fault.name);
    const line = `${isOff ? "clear" : "fault"} ${device} ${fault.name}`;
    return this.act(`${isOff ? "Plug in" : "Unplug"} ${device}`, line, `${isOff ? "Plug in" : "Unplug"} ${device}`, {
      class: isOff ? "off" : null,
    });
  }

  around({ around }) {
    byId("jump").hidden = !around.jumps;
    show(byId("around"), around, () => {
      const items = [];
      if (around.network) {
        const cut = around.network === "cut";
        const act = cut ? this.act("Mend the network", "mend-network") : this.act("Cut the network", "cut-network");
        items.push(way(around.network === "connected", `network: ${around.network}`, [act]));
      }
      if (around.agent) {
        const acts = AGENT[around.agent].map((what) => this.act(`${what} the agent`, `agent ${what}`));
        items.push(way(around.agent === "running", `agent: ${around.agent}`, acts));
      }
      if (around.forgets) items.push(way(true, "broker", [this.act("Let the broker forget", "forget")]));
      return items;
    });
  }
}

const option = (name) => html("option", { value: name }, name);

const way = (isWhole, words, acts) =>
  html(
    "li",
    { class: `row way ${isWhole ? "whole" : "broken"}` },
    html("span", { class: "cable", "aria-hidden": "true" }),
    html("span", { class: "grow" }, words),
    ...acts,
  );
