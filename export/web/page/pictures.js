/** From a picture to the values that a model takes, as `edge.predicting.inputs` does in Python. */

import { UserError } from "./errors.js";
import { middle, resized } from "./resampling.js";

const { fround } = Math;
const MOST_PIXELS = 16e6; // phones refuse larger canvases

/** Height, width and channels of a model that takes pictures; null: it takes none. */
export function pictureShape(info) {
  const [height, width, channels] = info.input.shape.slice(1);
  const isPicture = info.input.shape.length === 4 && (channels === 1 || channels === 3);
  return isPicture ? { height, width, channels } : null;
}

/**
 * A picture file, upright, with the values that it holds.
 *
 * @param {Blob} file PNG, JPEG or what else the browser reads.
 */
export async function readPicture(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, {
      colorSpaceConversion: "none",
      premultiplyAlpha: "none",
    });
  } catch {
    throw new UserError(`${file.name ?? "The file"} is no picture that this browser can read.`);
  }
  const scale = Math.min(1, Math.sqrt(MOST_PIXELS / (bitmap.width * bitmap.height)));
  const [width, height] = [bitmap.width, bitmap.height].map((side) => Math.floor(side * scale));
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d", { willReadFrequently: true }).drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  return pixelsOf(canvas);
}

/** What is on a canvas, as a picture. */
export function pixelsOf(canvas) {
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  for (let at = 3; at < data.length; at += 4) {
    if (data[at] < 255) {
      throw new UserError("The picture is transparent: save it as 8-bit grey or RGB.");
    }
  }
  return { width, height, data };
}

/**
 * A picture as the model takes it: cut to its shape from the middle, and resized.
 *
 * @param {{width: number, height: number, data: Uint8ClampedArray}} picture red, green, blue and
 *     a fourth value that does not count.
 * @param {{width: number, height: number, channels: number}} shape what the model takes.
 */
export function fitted(picture, shape) {
  const { channels } = shape;
  const pixels = picture.width * picture.height;
  const plain = { ...picture, channels, data: new Uint8Array(pixels * channels) };
  for (let at = 0; at < pixels; at++) {
    const red = picture.data[4 * at];
    const green = picture.data[4 * at + 1];
    const blue = picture.data[4 * at + 2];
    if (channels === 1) plain.data[at] = grey(red, green, blue);
    else {
      plain.data[3 * at] = red;
      plain.data[3 * at + 1] = green;
      plain.data[3 * at + 2] = blue;
    }
  }
  return resized(plain, { width: shape.width, height: shape.height }, middle(picture, shape));
}

/** The brightness of a colour, as Pillow's `convert("L")` has it. */
function grey(red, green, blue) {
  return (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16;
}

/** Pixels from 0 to 255, stretched to the range of the data set's values. */
export function stretched(pixels, info) {
  const [low, high] = info.value_range.map(fround);
  return Float32Array.from(pixels, (value) =>
    fround(low + fround(fround(value / 255) * fround(high - low)))
  );
}

/** The inverse, to show an example: values of a data set as pixels from 0 to 255. */
export function shownPixels(values, info) {
  const [low, high] = info.value_range;
  return Uint8ClampedArray.from(values, (value) => (255 * (value - low)) / (high - low));
}

/** Paints pixels on a canvas of the same size. */
export function paint(canvas, pixels, shape) {
  const { width, height, channels } = shape;
  Object.assign(canvas, { width, height });
  const image = new ImageData(width, height);
  for (let at = 0; at < width * height; at++) {
    for (let c = 0; c < 3; c++) image.data[4 * at + c] = pixels[at * channels + (c % channels)];
    image.data[4 * at + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}
