// Where in the image a tap's score comes from: what each position adds to it, and how far it lies from ID-train.

const TURNS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

/** The maps of one tap over the pictures: a row per image, a column per map with its scale below. */
class Where {
  constructor({ where }, images) {
    this.images = images;
    this.strength = make("input", { type: "range", class: "strength", min: 0, max: 1, step: 0.05 });
    this.readout = make("p", { class: "readout" });
    this.overlays = images.map((image) => where.parts.map(() => new Overlay(image)));
    this.scales = where.parts.map(() => make("div", { class: "scale", "aria-hidden": "true" }));
    const heads = where.parts.map(({ title, help }) => make("b", { title: help }, title));
    const rows = images.flatMap((image, i) => [letter(image), ...this.overlays[i].map((each) => each.element)]);
    const keys = where.keys.map(([way, text]) => make("li", {}, line(way), make("span", {}, ` ${text}`)));
    this.element = where.note
      ? make("p", { class: "muted" }, where.note)
      : make("div", { class: "where" },
          make("div", { class: "pictures" }, make("span"), ...heads, ...rows, make("span"), ...this.scales),
          make("div", { class: "side" }, this.readout, make("ul", {}, ...keys),
            make("label", {}, "Strength", this.strength), make("p", { class: "muted" }, where.help)));
    this.overlays.flat().forEach(({ stack }) => this.listen(stack));
  }

  listen(stack) {
    const under = (event) => {
      const box = stack.getBoundingClientRect();
      const [row, column] = [(event.clientY - box.top) / box.height, (event.clientX - box.left) / box.width];
      this.point(this.inside(Math.floor(row * this.h), Math.floor(column * this.w)));
    };
    for (const kind of ["pointermove", "pointerdown"]) stack.addEventListener(kind, under);
    stack.addEventListener("pointerleave", () => this.point());
    // spoken while a picture is gone through by keys, not with every level that is slid past
    stack.addEventListener("focus", () => this.readout.setAttribute("aria-live", "polite"));
    stack.addEventListener("blur", () => {
      this.readout.removeAttribute("aria-live");
      this.point();
    });
    stack.addEventListener("keydown", (event) => {
      if (!TURNS[event.key]) return;
      event.preventDefault();
      const [down, right] = this.at === undefined ? [0, 0] : TURNS[event.key], at = this.at ?? this.strongest;
      this.point(this.inside(Math.floor(at / this.w) + down, (at % this.w) + right));
    });
  }

  inside(row, column) {
    const within = (value, end) => Math.max(0, Math.min(end - 1, value));
    return within(row, this.h) * this.w + within(column, this.w);
  }

  show(level, where, seen) {
    if (where.note) return;
    if (where !== this.where) this.fit(where);
    [this.h, this.w] = seen.shape;
    this.level = level;
    const shares = new Int16Array(bytes(seen.where).buffer), length = this.h * this.w;
    this.values = this.images.map((_, i) => seen.peaks.map((peak, p) => {
      const start = (i * seen.peaks.length + p) * length;
      return Float32Array.from(shares.subarray(start, start + length), (share) => (share / where.full) * peak);
    }));
    this.means = this.values.map((maps, i) => maps.map((map, p) =>
      p ? amount(map.reduce((a, b) => a + b) / length) : seen.said[i][0])); // the first one's is the score
    this.overlays.forEach((row, i) => row.forEach((each, p) =>
      each.show(this.values[i][p], seen.shape, where.parts[p])));
    this.peaks = this.values.map((maps) => maps.map(largest));
    const peak = this.peaks.map((of, i) => this.values[i][0][of[0]]);
    this.strongest = this.peaks[peak.indexOf(Math.max(...peak))][0];
    this.point(this.at);
  }

  /** To its scales, which hold all levels and draws at hand. */
  fit(where) {
    this.where = where;
    where.parts.forEach((part, p) => {
      part.table = shades(part.colours);
      const bar = make("canvas"), ends = part.lines.map((value) => share(value, part));
      paint(bar, Uint8ClampedArray.from({ length: 256 }, () => 128), 0, [1, 1, 256]);
      const drawn = make("canvas", { class: "map" }), [low, high] = part.limits;
      shade(drawn, Float32Array.from({ length: 256 }, (_, k) => low + (k / 255) * (high - low)), [1, 256], part);
      const marks = svg("svg", { viewBox: "0 0 1 1", preserveAspectRatio: "none" },
        ...["solid", "dotted"].flatMap((way, k) => seam(way, ends[k] > 0 ? `M${ends[k]} 0V1` : "")));
      const ticks = part.ticks.map(([value, text]) => make("span", { style: `--at: ${share(value, part)}` }, text));
      this.scales[p].replaceChildren(make("div", { class: "stack" }, bar, drawn, marks), ...ticks);
    });
  }

  /** Say the values of one position, and ring it in all pictures; of the strongest where there is none. */
  point(at) {
    this.at = at < this.h * this.w ? at : undefined;
    const shown = this.at ?? this.strongest;
    this.overlays.forEach((row, i) => row.forEach((overlay, p) => {
      const map = this.values[i][p], peak = this.peaks[i][p], { title } = this.where.parts[p];
      const mean = `${p ? "mean" : "score"} ${this.means[i][p]}`;
      overlay.caption.textContent = mean;
      overlay.point(this.at, this.w);
      const there = this.at === undefined ? "" : ` ${this.place(this.at)}: ${amount(map[this.at])}.`;
      const range = `strongest at ${this.region(peak)}, ${amount(map[peak])}; least ${amount(Math.min(...map))}`;
      name(overlay.stack, `${this.images[i].letter}, ${title}, ${this.level}: ${mean}; ${range}.${there}`);
    }));
    const said = this.images.map(({ letter }, i) =>
      `${letter} adds ${amount(this.values[i][0][shown])}, deviation ${amount(this.values[i][1][shown])}`);
    const which = this.at === undefined ? "Strongest: " : "";
    this.readout.textContent = `${which}${this.place(shown)}: ${said.join(" · ")}`;
  }

  place(at) {
    return `row ${Math.floor(at / this.w) + 1}, column ${(at % this.w) + 1} of ${this.h} × ${this.w}`;
  }

  /** "upper left", "right", "the centre". */
  region(at) {
    const third = (place, of) => Math.floor((3 * (place + 0.5)) / of);
    const row = ["upper", "", "lower"][third(Math.floor(at / this.w), this.h)];
    const column = ["left", "", "right"][third(at % this.w, this.w)];
    return `${row} ${column}`.trim() || "the centre";
  }
}

/** One map over its picture, with lines around what is OOD-like (solid) and ID-like (dotted). */
class Overlay {
  constructor(image) {
    const below = make("canvas");
    paint(below, bytes(image.pixels), 0, image.shape);
    this.map = make("canvas", { class: "map" });
    this.lines = ["solid", "dotted"].map((way) => seam(way, ""));
    this.ring = svg("rect", { class: "ring", width: 1, height: 1 });
    this.svg = svg("svg", { preserveAspectRatio: "none" }, ...this.lines.flat(), this.ring);
    for (const part of [below, this.map, this.svg]) part.setAttribute("aria-hidden", "true");
    const [, height, width] = image.shape, about = { class: "stack", role: "img", tabindex: 0 };
    this.stack = make("div", { ...about, style: `aspect-ratio: ${width} / ${height}` }, below, this.map, this.svg);
    this.caption = make("figcaption");
    this.element = make("figure", {}, this.stack, this.caption);
  }

  show(values, [h, w], part) {
    shade(this.map, values, [h, w], part);
    this.svg.setAttribute("viewBox", `0 0 ${w} ${h}`);
    part.lines.forEach((at, k) => {
      const path = contour(values, h, w, at);
      for (const each of this.lines[k]) each.setAttribute("d", path);
    });
  }

  point(at, w) {
    this.ring.style.display = at === undefined ? "none" : "";
    if (at === undefined) return;
    this.ring.setAttribute("x", at % w);
    this.ring.setAttribute("y", Math.floor(at / w));
  }
}

/** Of the way along a part's scale, 0 to 1. */
function share(value, { limits: [low, high] }) {
  return Math.max(0, Math.min(1, (value - low) / (high - low)));
}

/** 256 colours with opacities (0 to 255 all), from a few. */
function shades(colours) {
  return Array.from({ length: 256 }, (_, k) => {
    const at = (k / 255) * (colours.length - 1), i = Math.min(Math.floor(at), colours.length - 2), rest = at - i;
    return colours[i].map((value, c) => (value + rest * (colours[i + 1][c] - value)) * (c === 3 ? 255 : 1));
  });
}

/** A pixel per position, which the browser makes smooth. */
function shade(canvas, values, [h, w], part) {
  if (canvas.width !== w) canvas.width = w;
  if (canvas.height !== h) canvas.height = h;
  const context = canvas.getContext("2d"), image = context.createImageData(w, h);
  values.forEach((value, k) => image.data.set(part.table[Math.round(255 * share(value, part))], 4 * k));
  context.putImageData(image, 0, 0);
}

/** Lines at a value between the positions' centres, as an SVG path; the picture's edge is none of them. */
function contour(values, h, w, at) {
  const parts = [];
  const bounded = (k, end) => Math.max(0, Math.min(end - 1, k));
  const place = (k, end) => Math.max(0, Math.min(end, k + 0.5));
  for (let y = -1; y < h; y++)
    for (let x = -1; x < w; x++) {
      const [top, bottom] = [bounded(y, h) * w, bounded(y + 1, h) * w];
      const [left, right] = [bounded(x, w), bounded(x + 1, w)];
      const above = [top + left, top + right, bottom + right, bottom + left].map((k) => values[k] - at);
      if (above.every((v) => v < 0) || above.every((v) => v >= 0)) continue;
      const xs = [x, x + 1, x + 1, x].map((k) => place(k, w)), ys = [y, y, y + 1, y + 1].map((k) => place(k, h));
      const met = above.flatMap((a, k) => {
        const n = (k + 1) % 4, b = above[n], far = a / (a - b);
        if (a < 0 === b < 0) return [];
        return [`${(xs[k] + far * (xs[n] - xs[k])).toFixed(2)} ${(ys[k] + far * (ys[n] - ys[k])).toFixed(2)}`];
      });
      for (let k = 0; k < met.length; k += 2) parts.push(`M${met[k]}L${met[k + 1]}`);
    }
  return parts.join("");
}

/** A dark line on a light seam, as pictures are light or dark. */
const seam = (way, d) => ["seam", "ink"].map((kind) => svg("path", { class: `${kind} ${way}`, d }));
const line = (way) =>
  svg("svg", { class: "key", width: 24, height: 10, "aria-hidden": "true" }, ...seam(way, "M1 5H23"));
const largest = (map) => map.reduce((best, value, k) => (value > map[best] ? k : best), 0);

/** "−0.42", "12.3", "1,234". */
function amount(value) {
  const size = Math.abs(value), decimals = size < 9.995 ? 2 : size < 99.95 ? 1 : 0;
  const text = size.toFixed(decimals).replace(/\B(?=(\d{3})+$)/g, ",");
  return `${value < 0 && Number(size.toFixed(decimals)) ? "−" : ""}${text}`;
}
