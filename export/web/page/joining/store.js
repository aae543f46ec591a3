/** What this browser keeps of an edge: values by key, in IndexedDB. */

import { UserError } from "../errors.js";

const DATABASE = "ecavg";
const VALUES = "values";

/** The values of one edge; those of other edges in the same browser are apart. */
export class Store {
  /** @param {string} edge whose values these are. */
  static async open(edge) {
    return new Store(await opened(), `${edge}/`); // no edge's name has a slash
  }

  constructor(database, prefix) {
    Object.assign(this, { database, prefix });
  }

  /** A value; undefined: there is none. */
  get(key) {
    return this.#done("readonly", (values) => values.get(this.prefix + key));
  }

  /** Keeps a value: typed arrays, and objects and arrays of such. It is on the disk when this is done. */
  put(key, value) {
    return this.#done("readwrite", (values) => values.put(value, this.prefix + key));
  }

  delete(key) {
    return this.#done("readwrite", (values) => values.delete(this.prefix + key));
  }

  /** Keys that begin with a text, sorted. */
  async keys(prefix = "") {
    const from = this.prefix + prefix;
    const range = IDBKeyRange.bound(from, `${from}\uffff`);
    const found = await this.#done("readonly", (values) => values.getAllKeys(range));
    return found.map((key) => key.slice(this.prefix.length));
  }

  #done(mode, work) {
    return done(this.database, mode, work);
  }
}

/** Names of the edges that this browser keeps something of. */
export async function knownEdges() {
  const keys = await done(await opened(), "readonly", (values) => values.getAllKeys());
  return [...new Set(keys.map((key) => key.slice(0, key.indexOf("/"))))];
}

function done(database, mode, work) {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(VALUES, mode, { durability: "strict" });
    const asked = work(transaction.objectStore(VALUES));
    transaction.oncomplete = () => resolve(asked.result);
    transaction.onabort = () => reject(fault(transaction.error));
  });
}

function opened() {
  return new Promise((resolve, reject) => {
    const asked = indexedDB.open(DATABASE, 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore(VALUES);
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(fault(asked.error));
  });
}

function fault(error) {
  const isFull = error?.name === "QuotaExceededError";
  return new UserError(
    isFull
      ? "This browser has no room left for what it keeps: remove examples, or free space."
      : `This browser can't keep anything (${error?.message}): a private window may forbid it.`
  );
}
