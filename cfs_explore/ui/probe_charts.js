// What the film of the probe draws, and the elements that it is made of.

const SVG = "http://www.w3.org/2000/svg";
const LEFT = 40, RIGHT = 10; // margins of the charts, in px
const POOLINGS = ["Channel means", "Channel standard deviations"];

/** One image: as it is, as the network gets it, and what the network takes it to be. */
class Strip {
  constructor(image) {
    this.letter = image.letter;
    this.noisy = picture();
    this.guess = picture();
    const original = picture();
    paint(original, bytes(image.pixels), 0, image.shape);
    name(original, `${image.letter}: ${image.about}, as the backbone takes it`);
    this.element = make(
      "section",
      { class: "strip" },
      make("p", { class: "about" }, letter(image), " ", make("bdi", {}, image.about)),
      make("figure", {}, original, make("figcaption", {}, "x₀, the image")),
      make("figure", {}, this.noisy, make("figcaption", {}, "x", make("sub", {}, "λ"), ", with noise")),
      make("figure", {}, this.guess, make("figcaption", {}, "x̂₀, the network’s guess")),
    );
  }

  show(frame, noisy, guess, index) {
    const start = index * size(frame.shape);
    paint(this.noisy, noisy, start, frame.shape);
    paint(this.guess, guess, start, frame.shape);
    name(this.noisy, `${this.letter}: with noise, ${frame.name}`);
    name(this.guess, `${this.letter}: the network’s one-step estimate of the image, ${frame.name}`);
  }
}

/** Scores as lines on the histogram of ID scores; the axis is the same at all levels and draws that are at hand. */
function drawMarks({ marks, tap, images }, seen, { edges, shares }) {
  const width = marks.clientWidth, floor = 126, top = 8;
  const scale = tap.log ? Math.log : (value) => value;
  const [low, high] = tap.range.map(scale);
  const x = (score) => LEFT + ((scale(score) - low) / (high - low)) * (width - LEFT - RIGHT);
  const peak = Math.max(...shares), y = (share) => floor - (share / (1.45 * peak)) * (floor - top);
  const steps = shares.map((share, i) => `V${y(share)}H${x(edges[i + 1])}`).join("");
  const parts = [
    svg("path", { class: "control", d: `M${x(edges[0])} ${floor}${steps}V${floor}Z` }),
    svg("path", { class: "axis", d: `M${LEFT} ${floor}H${width - RIGHT}` }),
    svg("text", { x: LEFT - 6, y: y(peak) + 4, "text-anchor": "end" }, `${(100 * peak).toFixed(peak < 0.1 ? 1 : 0)} %`),
    svg("text", { x: LEFT - 6, y: floor + 4, "text-anchor": "end" }, "0"),
    ...ticks(tap).map((tick) => svg("text", { x: x(tick), y: floor + 16, "text-anchor": "middle" }, `${tick}`)),
    svg("text", { class: "quiet", x: (LEFT + width - RIGHT) / 2, y: floor + 33, "text-anchor": "middle" },
      "Slot score (higher = more OOD)"),
  ];
  const lowest = Math.min(...seen.score);
  images.forEach((image, i) => {
    const at = x(seen.score[i]), height = y(peak * (1.32 - 0.16 * i));
    const lower = seen.score[i] === lowest; // labels stand on the far sides of the lines where there is room
    const left = lower ? at > 66 : at > width - 66;
    parts.push(
      svg("path", { class: `${image.role} mark`, d: `M${at} ${floor}V${height}` }),
      svg("text", { class: "strong", x: at + (left ? -6 : 6), y: height + 5, "text-anchor": left ? "end" : "start" },
        `${image.letter} ${seen.said[i][0]}`),
    );
  });
  marks.replaceChildren(...parts);
  const said = images.map((image, i) => `${image.letter} ${seen.said[i][0]}, ${seen.said[i][1]}`);
  name(marks, `Slot scores on the histogram of the ID-test images: ${said.join("; ")}`);
}

/** z-scores as bars, a row per pooling; the scale is the smallest of 3, 4, 6, 8, 12, ... that holds them all. */
function drawBars({ bars, images, z }) {
  const width = bars.clientWidth, channels = z[0].length / 2, step = (width - LEFT - RIGHT) / channels;
  const largest = Math.max(...z.map((each) => each.reduce((a, b) => Math.max(a, Math.abs(b)), 0)));
  const power = 2 ** Math.ceil(Math.log2(largest)), reach = Math.max(3, 0.75 * power >= largest ? 0.75 * power : power);
  const parts = POOLINGS.flatMap((title, row) => {
    const middle = 66 + 122 * row, y = (value) => middle - (value / reach) * 46;
    const lines = [-reach, 0, reach].flatMap((value) => [
      svg("path", { class: value ? "grid" : "axis", d: `M${LEFT} ${y(value)}H${width - RIGHT}` }),
      svg("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, signed(value, 0)),
    ]);
    const drawn = images.map((image, i) => {
      const offset = images.length > 1 ? 0.4 * (i / (images.length - 1) - 0.5) : 0;
      const each = Array.from(z[i].subarray(row * channels, (row + 1) * channels), (value, channel) =>
        `M${(LEFT + (channel + 0.5 + offset) * step).toFixed(1)} ${middle}V${y(value).toFixed(1)}`);
      const thick = Math.min(5, Math.max(1, 0.28 * step));
      return svg("path", { class: image.role, d: each.join(""), "stroke-width": thick });
    });
    return [svg("text", { class: "strong", x: LEFT, y: middle - 54 }, title), ...lines, ...drawn];
  });
  const every = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((each) => each * step >= 40) ?? 2000;
  for (let channel = 0; channel < channels; channel += every)
    parts.push(svg("text", { x: LEFT + (channel + 0.5) * step, y: 252, "text-anchor": "middle" }, `${channel}`));
  parts.push(svg("text", { class: "quiet", x: (LEFT + width - RIGHT) / 2, y: 269, "text-anchor": "middle" }, "Channel"));
  bars.replaceChildren(...parts);
}

/** Round numbers of a tap's score axis. */
function ticks({ range: [low, high], log }) {
  const found = [];
  for (let e = Math.floor(Math.log10(high)) - (log ? 6 : 1); e <= Math.log10(high); e++)
    for (const m of [1, 2, 5]) found.push(Number(`${m}e${e}`));
  const inside = found.filter((tick) => tick >= low && tick <= high);
  return inside.length > 7 ? inside.filter((tick) => /^[0.]*1/.test(`${tick}`)) : inside;
}

function paint(canvas, values, start, [channels, height, width]) {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const context = canvas.getContext("2d"), image = context.createImageData(width, height), pixels = width * height;
  for (let i = 0; i < pixels; i++) {
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = values[start + i + (channels > 1 ? c * pixels : 0)];
    image.data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

function make(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** Of the app's header where it covers what is scrolled beneath it, in px. */
function headerHeight() {
  const header = document.querySelector('[data-testid="stHeader"]');
  const clear = !header || /, 0\)$/.test(getComputedStyle(header).backgroundColor);
  return clear ? 0 : header.offsetHeight;
}

function swatch(image) {
  return svg("svg", { class: "swatch", width: 22, height: 10, "aria-hidden": "true" },
    svg("path", { class: `${image.role} mark`, d: "M0 5H22" }));
}

const letter = (image) => make("b", { class: `letter ${image.role}` }, image.letter);
const picture = () => make("canvas", { role: "img" });
const name = (element, text) => element.setAttribute("aria-label", text);
const kept = (text) => text.replaceAll("λ = ", "λ\u00a0=\u00a0"); // on one line
const size = (shape) => shape.reduce((a, b) => a * b, 1);
const bytes = (text) => Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
const floats = (text) => new Float32Array(bytes(text).buffer);

/** "+3.1", "−0.4", "+0.0". */
function signed(value, decimals = 1) {
  const text = Math.abs(value).toFixed(decimals);
  if (!decimals && !value) return "0";
  return `${value < 0 && Number(text) ? "−" : "+"}${text}`;
}
