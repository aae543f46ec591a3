/** The drawing area: strokes by finger, mouse, pen or keyboard. */

import { fitted, pixelsOf, stretched } from "./pictures.js";

const STEP = 0.04; // of the area, for an arrow key
const FINEST = 256; // pixels of a side that a drawing is painted with before it is resized
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** Strokes on a canvas; `onchange` is called whenever they change. */
export class Drawing {
  /**
   * @param {HTMLCanvasElement} canvas where people draw.
   * @param {object} ink what `inkOf` found.
   * @param {{width: number, height: number}} shape of the model's pictures.
   * @param {() => void} onchange is told of every change.
   */
  constructor(canvas, ink, shape, onchange) {
    Object.assign(this, { canvas, ink, shape, onchange, strokes: [] });
    this.penWidth = ink.pen;
    this.placed = true; // scaled and centred as the golden examples are
    this.cursor = null; // of the keyboard
    const side = Math.max(shape.width, shape.height);
    canvas.width = Math.round((560 * shape.width) / side);
    canvas.height = Math.round((560 * shape.height) / side);
    canvas.onpointerdown = (event) => this.#begin(event);
    canvas.onpointermove = (event) => this.#extend(event);
    canvas.onpointerup = canvas.onpointercancel = (event) => this.#end(event);
    canvas.onkeydown = (event) => this.#key(event);
    this.show();
  }

  clear() {
    this.strokes = [];
    this.cursor = null;
    this.#changed();
  }

  undo() {
    this.strokes.pop();
    this.#changed();
  }

  get empty() {
    return this.strokes.length === 0;
  }

  /** The drawing as values that the model takes. */
  values(info) {
    const { width, height } = this.shape;
    const fine = Math.max(1, Math.floor(FINEST / Math.max(width, height)));
    const canvas = new OffscreenCanvas(width * fine, height * fine);
    this.#paint(canvas, this.placed ? this.#place() : (point) => point);
    return stretched(fitted(pixelsOf(canvas), this.shape).data, info);
  }

  show() {
    this.#paint(this.canvas, (point) => point);
    if (!this.cursor) return;
    const context = this.canvas.getContext("2d");
    const [x, y] = this.#onCanvas(this.canvas, this.cursor);
    context.strokeStyle = this.down ? "#2a7de1" : "#888";
    context.lineWidth = 4;
    context.beginPath();
    context.arc(x, y, 14, 0, 2 * Math.PI);
    context.stroke();
  }

  /** Where points go so that extent and centre of mass are those of the golden examples. */
  #place() {
    const points = this.strokes.flat();
    const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
    const span = Math.max(Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys));
    const room = Math.max(this.ink.extent - this.penWidth, 0.1);
    const scale = span > 0.02 ? room / span : 1;
    const [massX, massY] = centreOfMass(this.strokes);
    const { width, height } = this.shape;
    const side = Math.max(width, height);
    const centre = [(this.ink.centre[0] * width) / side, (this.ink.centre[1] * height) / side];
    return ([x, y]) => [(x - massX) * scale + centre[0], (y - massY) * scale + centre[1]];
  }

  #paint(canvas, place) {
    const context = canvas.getContext("2d", { willReadFrequently: true });
    const [ground, pen] = this.ink.dark ? ["#fff", "#000"] : ["#000", "#fff"];
    const side = Math.max(canvas.width, canvas.height);
    Object.assign(context, { fillStyle: ground, strokeStyle: pen, lineCap: "round" });
    Object.assign(context, { lineJoin: "round", lineWidth: this.penWidth * side });
    context.fillRect(0, 0, canvas.width, canvas.height);
    for (const stroke of this.strokes) {
      context.beginPath();
      stroke.forEach((point, at) => {
        const [x, y] = this.#onCanvas(canvas, place(point));
        if (at === 0) context.moveTo(x, y);
        context.lineTo(x, y); // a single point becomes a dot
      });
      context.stroke();
    }
  }

  /** Points are shares of the larger side. */
  #onCanvas(canvas, [x, y]) {
    const side = Math.max(canvas.width, canvas.height);
    return [x * side, y * side];
  }

  #point(event) {
    const box = this.canvas.getBoundingClientRect();
    const side = Math.max(box.width, box.height);
    return [(event.clientX - box.left) / side, (event.clientY - box.top) / side];
  }

  #begin(event) {
    if (event.button !== 0) return;
    event.preventDefault();
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    this.pointer = event.pointerId;
    this.cursor = null;
    this.strokes.push([this.#point(event)]);
    this.#changed();
  }

  #extend(event) {
    if (event.pointerId !== this.pointer) return;
    const steps = event.getCoalescedEvents?.() ?? [];
    for (const step of steps.length ? steps : [event]) this.strokes.at(-1)?.push(this.#point(step));
    this.#changed();
  }

  #end(event) {
    if (event.pointerId === this.pointer) this.pointer = null;
  }

  #key(event) {
    const arrow = ARROWS[event.key];
    if (event.key === " ") {
      this.down = !this.down;
      this.cursor ??= this.#middle();
      if (this.down) this.strokes.push([this.cursor]);
    } else if (event.key === "Escape") {
      this.down = false;
      this.clear();
    } else if (arrow) {
      const [x, y] = this.cursor ?? this.#middle();
      this.cursor = [x + STEP * arrow[0], y + STEP * arrow[1]].map((at) =>
        Math.min(1, Math.max(0, at))
      );
      if (this.down) this.strokes.at(-1)?.push(this.cursor);
    } else return;
    event.preventDefault();
    this.#changed();
  }

  #middle() {
    const side = Math.max(this.shape.width, this.shape.height);
    return [this.shape.width / side / 2, this.shape.height / side / 2];
  }

  #changed() {
    this.show();
    this.onchange();
  }
}

/** The mean of all points of the lines, each line as heavy as it is long. */
function centreOfMass(strokes) {
  let [sumX, sumY, total] = [0, 0, 0];
  for (const stroke of strokes) {
    stroke.forEach(([x, y], at) => {
      const [beforeX, beforeY] = stroke[Math.max(0, at - 1)];
      const weight = Math.hypot(x - beforeX, y - beforeY) + 1e-6;
      sumX += (weight * (x + beforeX)) / 2;
      sumY += (weight * (y + beforeY)) / 2;
      total += weight;
    });
  }
  return [sumX / total, sumY / total];
}
