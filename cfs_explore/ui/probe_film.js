// Plays a film of the probe: pictures, maps, scores and z-scores are redrawn here while level or draw is slid.
// The data and every text come from probe_film.py; texts become text nodes only. What is drawn is in probe_charts.js.

const REST_MS = 250; // after the last change, before the app gets it
const PLAY_MS = 180; // a level
const LEAST_WAIT_MS = 500; // until the app is asked for the levels that it is still making
const films = new WeakMap();

export default function ({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector(".film");
  if (!films.has(root)) films.set(root, new Film(root));
  const film = films.get(root);
  film.tell = setTriggerValue;
  film.load(data);
  return () => film.close();
}

class Film {
  constructor(root) {
    this.root = root;
    this.level = new Slider("level");
    this.draw = new Slider("draw");
    this.button = make("button", { type: "button", class: "play" });
    this.level.head.append(this.button);
    this.text = make("p", { class: "muted" });
    this.note = make("p", { class: "note" });
    this.body = make("div");
    this.sent = 0;
    const bar = make("div", { class: "bar" }, this.level.element, this.draw.element);
    root.append(bar, this.text, this.note, this.body);
    this.listen();
  }

  listen() {
    for (const { input } of [this.level, this.draw]) {
      input.addEventListener("input", () => {
        this.pause();
        this.show(this.level.input.valueAsNumber, this.draw.input.valueAsNumber);
      });
      for (const begin of ["keydown", "pointerdown"]) input.addEventListener(begin, () => (this.pressed = true));
      for (const end of ["keyup", "pointerup", "pointercancel", "blur"])
        input.addEventListener(end, () => {
          this.pressed = false;
          this.rest();
        });
      input.addEventListener("change", () => this.rest());
    }
    this.button.addEventListener("click", () => (this.playing ? this.pause() : this.play()));
    this.pause();
    this.root.addEventListener("input", ({ target }) => {
      if (target.classList.contains("strength")) this.strengthen(target.value);
    });
    this.observer = new ResizeObserver(() => {
      this.root.style.setProperty("--top", `${headerHeight()}px`);
      if (this.data) this.show(this.level.at);
    });
    this.observer.observe(this.root);
  }

  close() {
    this.observer.disconnect();
    clearInterval(this.playing);
    clearTimeout(this.resting);
    clearTimeout(this.waiting);
  }

  load(data) {
    if (data === this.data) return this.show(this.level.at); // another theme
    clearTimeout(this.waiting);
    if (data.rest) this.waiting = setTimeout(() => this.tell("rest", Date.now()), LEAST_WAIT_MS + 1000 * data.rest);
    const busy = this.playing || this.pressed || this.resting || data.heard < this.sent;
    const [lam, draw] = busy && this.data ? [this.lam, this.draw.at] : [data.start, data.draw];
    if (!busy || !this.data) this.sentPlace = { level: data.start, draw: data.draw };
    this.sent = Math.max(this.sent, data.heard);
    const same = data.film === this.data?.film;
    this.data = data;
    if (same) this.taps.forEach((each, i) => (each.tap = data.taps[i]));
    else this.build();
    const away = data.lams.map((each) => Math.abs(each - lam));
    this.show(away.indexOf(Math.min(...away)), Math.min(draw, data.draws.names.length - 1));
  }

  get lam() {
    return this.data.lams[this.level.at];
  }

  /** Of a level in a draw; none where the app has not made it yet. */
  frame(level, draw) {
    const { data } = this;
    if (draw === data.draw) return data.frames[level];
    return data.lams[level] === data.draws.lam ? data.draws.frames[draw] : null;
  }

  /** Tell the app where the sliders stand, once they are let go; it says with ``heard`` up to which time it listened. */
  rest() {
    clearTimeout(this.resting);
    this.resting = setTimeout(() => {
      this.resting = null;
      if (this.pressed || this.playing) return;
      if (this.isSent()) return;
      this.sentPlace = { level: this.lam, draw: this.draw.at };
      this.sent += 1;
      this.tell("left", { ...this.sentPlace, time: this.sent });
      this.show(this.level.at);
    }, REST_MS);
  }

  isSent() {
    return this.sentPlace.level === this.lam && this.sentPlace.draw === this.draw.at;
  }

  play() {
    const isLast = () => this.level.at === this.data.lams.length - 1; // more levels may come meanwhile
    if (isLast()) this.show(0);
    this.button.replaceChildren(make("span", { "aria-hidden": "true" }, "❚❚ "), "Pause");
    this.playing = setInterval(() => (isLast() ? this.pause() : this.show(this.level.at + 1)), PLAY_MS);
  }

  pause() {
    this.button.replaceChildren(make("span", { "aria-hidden": "true" }, "▶\uFE0E "), "Play");
    if (!this.playing) return;
    clearInterval(this.playing);
    this.playing = null;
    this.rest();
  }

  /** Everything that is the same at all levels. */
  build() {
    const { data } = this;
    for (const [role, colour] of Object.entries(data.colours)) this.root.style.setProperty(`--${role}`, colour);
    this.level.build(data.label, data.help, data.ticks);
    this.draw.build(data.draws.label, data.draws.help, data.draws.names.map(() => ""));
    this.note.textContent = data.note;
    this.strips = data.images.map((image) => new Strip(image));
    this.taps = data.taps.map((tap) => new Tap(tap, data.images));
    this.body.replaceChildren(
      make("div", { class: "two" }, ...this.strips.map((each) => each.element)),
      make("div", { class: "two" }, ...this.taps.map((each) => each.element)),
    );
    this.strengthen(this.strength ?? data.strength);
  }

  /** Of the score maps of all taps, 0 to 1. */
  strengthen(value) {
    this.strength = value;
    this.root.style.setProperty("--strength", value);
    for (const { where } of this.taps) {
      where.strength.value = value;
      where.strength.style.setProperty("--at", value);
    }
  }

  /** Show one level in one draw. */
  show(level, draw = this.draw.at) {
    const frame = this.frame(level, draw);
    this.level.show(level, this.data.names[level]);
    this.draw.show(draw, this.data.draws.names[draw]);
    this.body.classList.toggle("waiting", !frame);
    this.button.disabled = draw !== this.data.draw; // the film is of another draw
    const missing = this.isSent() ? "The app is making this …" : "Let go of the slider to see this.";
    this.text.textContent = frame ? kept(frame.text) : missing;
    if (!frame) return;
    const noisy = bytes(frame.x_lam), guess = bytes(frame.x0_hat);
    this.strips.forEach((each, i) => each.show(frame, noisy, guess, i));
    this.taps.forEach((each, i) => each.show(frame, frame.taps[i]));
  }
}

/** A range with its label, what it is at, and ticks. */
class Slider {
  constructor(id) {
    this.input = make("input", { type: "range", id, min: 0, step: 1 });
    this.value = make("b", { class: "value", "aria-hidden": "true" });
    this.ticks = make("div", { class: "ticks", "aria-hidden": "true" });
    this.label = make("label", { for: id });
    this.head = make("div", { class: "head" }, this.label, this.value);
    this.element = make("div", { class: id }, this.head, this.input, this.ticks);
    this.at = 0;
  }

  build(label, help, ticks) {
    this.last = ticks.length - 1;
    this.input.max = this.last;
    this.label.textContent = label;
    this.label.title = help;
    this.ticks.replaceChildren(
      ...ticks.flatMap((tick, i) => (tick ? [make("span", { style: `--at: ${i / (this.last || 1)}` }, tick)] : [])),
    );
  }

  show(at, text) {
    this.at = at;
    this.input.value = at;
    this.input.setAttribute("aria-valuetext", text);
    this.input.style.setProperty("--at", at / (this.last || 1));
    this.value.textContent = text;
    let edge = -Infinity;
    for (const tick of this.ticks.children) {
      const left = tick.offsetLeft - tick.offsetWidth / 2;
      tick.classList.toggle("bare", left < edge + 6);
      if (left >= edge + 6) edge = left + tick.offsetWidth;
    }
  }
}

/** One tap: maps of its strongest channels, scores among those of ID images, and z-scores. */
class Tap {
  constructor(tap, images) {
    Object.assign(this, { tap, images });
    const slots = Array.from({ length: tap.slots });
    this.heads = slots.map(() => make("span"));
    this.cells = images.map(() => slots.map(() => ({ map: picture(), z: make("figcaption") })));
    this.said = images.map(() => [make("b"), make("span")]);
    this.marks = svg("svg", { role: "img", class: "marks" });
    this.bars = svg("svg", { role: "img", class: "bars" });
    this.where = new Where(tap, images);
    this.captions = [make("p", { class: "muted" }), make("p", { class: "muted" })];
    this.readout = make("p", { class: "readout" });
    const maps = images.flatMap((image, i) => [
      letter(image),
      ...this.cells[i].map(({ map, z }) => make("figure", {}, map, z)),
    ]);
    const said = images.map((image, i) =>
      make("li", {}, swatch(image), ` ${image.letter} `, this.said[i][0], " (", this.said[i][1], ")"),
    );
    this.element = make(
      "section",
      {},
      make("h2", {}, tap.title),
      make("p", { class: "muted" }, tap.about),
      make("h3", {}, "Where in the image"),
      this.where.element,
      make("h3", {}, "Channels"),
      make("div", { class: "maps", style: `--slots: ${tap.slots}` }, make("span"), ...this.heads, ...maps),
      make("p", { class: "muted" }, tap.help),
      make("h3", {}, "Slot score"),
      make("ul", {}, ...said),
      this.marks,
      this.captions[0],
      make("h3", {}, "z-scores"),
      this.bars,
      this.readout,
      this.captions[1],
    );
    this.bars.addEventListener("pointermove", (event) => this.point(event));
    this.bars.addEventListener("pointerleave", () => this.point(null));
  }

  show(frame, seen) {
    const reference = this.tap.references[frame.position];
    const maps = bytes(seen.maps), z = floats(seen.z), width = z.length / this.images.length;
    this.seen = seen;
    this.z = this.images.map((_, i) => z.subarray(i * width, (i + 1) * width));
    this.heads.forEach((head, k) => (head.textContent = `ch ${seen.channels[k]}`));
    this.cells.forEach((row, i) =>
      row.forEach((cell, k) => {
        const pixels = seen.shape[0] * seen.shape[1], channel = seen.channels[k];
        paint(cell.map, maps, (i * row.length + k) * pixels, [1, ...seen.shape]);
        cell.z.textContent = signed(this.z[i][channel]);
        name(cell.map, `${this.images[i].letter}, channel ${channel}, z = ${cell.z.textContent}`);
      }),
    );
    this.said.forEach(([score, standing], i) => {
      [score.textContent, standing.textContent] = seen.said[i];
    });
    this.captions.forEach((caption, i) => (caption.textContent = kept(reference.captions[i])));
    this.where.show(frame.name, this.tap.where, seen);
    drawMarks(this, seen, reference);
    drawBars(this);
    this.point(null);
  }

  /** Say the z-scores of the channel under the pointer, else the largest. */
  point(event) {
    const channels = this.z[0].length / 2, words = ["mean", "deviation"];
    const box = this.bars.getBoundingClientRect();
    const under = event && ((event.clientX - box.left - LEFT) / (box.width - LEFT - RIGHT)) * channels;
    if (event && under >= 0 && under < channels) {
      const channel = Math.floor(under);
      const said = this.images.map(
        (image, i) =>
          `${image.letter} ${words.map((word, p) => `${word} ${signed(this.z[i][p * channels + channel])}`).join(", ")}`,
      );
      this.readout.textContent = `Channel ${channel}: ${said.join(" · ")}`;
      return;
    }
    const all = this.z.flatMap((z, i) => Array.from(z, (value, j) => ({ value, i, j })));
    const { value, i, j } = all.reduce((a, b) => (Math.abs(b.value) > Math.abs(a.value) ? b : a));
    const where = `${this.images[i].letter}, channel ${j % channels}, ${words[Math.floor(j / channels)]}`;
    this.readout.textContent = `Largest: ${where}: z = ${signed(value)}`;
    name(this.bars, `z-scores of the means and standard deviations of ${channels} channels. ${this.readout.textContent}`);
  }
}
