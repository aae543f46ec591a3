/** LiteRT.js, and models that run in it: one example in, one answer out. */

// Plain SIMD instead of relaxed SIMD: every browser has it, and all processors give the same bits.
const WASM = "../runtime/litert_wasm_compat_internal.js";

// What LiteRT.js's own table lacks: its WebAssembly runs these types, too. The numbers are those
// of ElementType in its sources.
const MORE_TYPES = [
  { dtype: "int8", typedArrayConstructor: Int8Array, elementType: 9 },
  { dtype: "int16", typedArrayConstructor: Int16Array, elementType: 7 },
];

let starting;

/** Loads LiteRT.js once. */
export function startRuntime() {
  starting ??= start();
  return starting;
}

async function start() {
  const litert = await importedWithMoreTypes();
  // The CPU runs the models: no GPU is asked for, whose answers would differ from device to device.
  litert.Environment.create = async () => new litert.Environment({ webGpuDevice: null });
  self.Module = { printErr: report }; // where the loader of the WebAssembly looks for it
  await litert.loadLiteRt(new URL(WASM, import.meta.url).href);
  return litert;
}

/** LiteRT tells all it does as if it were an error. */
function report(line) {
  if (/^(INFO|WARNING|VERBOSE)\b/.test(line)) console.debug(line);
  else console.warn(line);
}

/** The table of types is frozen when the module is read, so it is extended just before that. */
async function importedWithMoreTypes() {
  const freeze = Object.freeze;
  Object.freeze = (value) => {
    const isTable = Array.isArray(value) && value.some((row) => row?.dtype === "float32");
    if (isTable) value.push(...MORE_TYPES);
    return freeze(value);
  };
  try {
    return await import("../runtime/index.js");
  } finally {
    Object.freeze = freeze;
  }
}

/** A model that is loaded; `close` gives its memory back. */
export class Model {
  /** Compiles a .tflite file of one input and one output, both with a fixed batch of 1. */
  static async load(content) {
    const litert = await startRuntime();
    const compiled = await litert.loadAndCompile(content, { accelerator: "wasm" });
    return new Model(litert, compiled);
  }

  constructor(litert, compiled) {
    this.litert = litert;
    this.compiled = compiled;
    const [input] = compiled.getInputDetails();
    this.shape = Array.from(input.shape);
  }

  /**
   * The output tensor.
   *
   * @param {Float32Array|Int8Array|Int16Array|Int32Array} input as the input tensor wants it.
   */
  async run(input) {
    const tensor = new this.litert.Tensor(input, this.shape);
    try {
      const outputs = await this.compiled.run([tensor]);
      const values = outputs[0].toTypedArray();
      for (const output of outputs) output.delete();
      return values;
    } finally {
      tensor.delete();
    }
  }

  close() {
    this.compiled.delete();
  }
}
