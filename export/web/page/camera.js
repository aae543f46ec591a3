/** The camera: a picture several times a second until it is stopped. */

import { UserError } from "./errors.js";
import { middle } from "./resampling.js";
import { pixelsOf } from "./pictures.js";

const SIDE = 256; // pixels of the larger side that are read of a picture
const EVERY_MS = 100;

/** Whether this browser lets this page ask for a camera. */
export function hasCamera() {
  return Boolean(navigator.mediaDevices?.getUserMedia);
}

/** Shows the camera in a video element; each picture goes to `onpicture`. */
export class Camera {
  constructor(video, shape, onpicture) {
    Object.assign(this, { video, shape, onpicture });
    this.canvas = new OffscreenCanvas(1, 1);
  }

  async start() {
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    } catch (error) {
      throw new UserError(`The camera can't be used: ${error.message}. Allow it, or pick a picture.`);
    }
    this.stream = stream;
    if (this.stopped) {
      this.stop(); // while the browser asked for permission
      return;
    }
    this.video.srcObject = stream;
    await this.video.play();
    this.timer = setInterval(() => this.#read(), EVERY_MS);
  }

  stop() {
    this.stopped = true;
    clearInterval(this.timer);
    this.stream?.getTracks().forEach((track) => track.stop());
    this.video.srcObject = null;
  }

  #read() {
    const { videoWidth: width, videoHeight: height } = this.video;
    if (!width) return;
    const [left, top, right, bottom] = middle({ width, height }, this.shape);
    const scale = SIDE / Math.max(right - left, bottom - top);
    this.canvas.width = Math.round((right - left) * scale);
    this.canvas.height = Math.round((bottom - top) * scale);
    const context = this.canvas.getContext("2d", { willReadFrequently: true });
    const size = [this.canvas.width, this.canvas.height];
    context.drawImage(this.video, left, top, right - left, bottom - top, 0, 0, ...size);
    this.onpicture(pixelsOf(this.canvas));
  }
}
