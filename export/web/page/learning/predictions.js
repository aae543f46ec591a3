/**
 * What a model predicts for labelled examples, and how good that is
 * (`ecavg_tf/core/deciding/predictions.py`).
 */

import { takeFrom } from "./examples.js";

const SMALLEST = 1e-7; // Keras' epsilon: a loss stays finite

export class Predictions {
  /**
   * @param {Float64Array} logLikelihood of the true class of each example, nats.
   * @param {Uint8Array} correct whether the most probable class was the true one.
   */
  constructor(logLikelihood, correct) {
    this.logLikelihood = logLikelihood;
    this.correct = correct;
    this.count = correct.length;
  }

  take(places) {
    return new Predictions(takeFrom(this.logLikelihood, places), takeFrom(this.correct, places));
  }
}

/**
 * Compares probabilities with labels; one that is no number makes a wrong answer.
 *
 * @param {Float32Array} probabilities row by row.
 */
export function compareWithLabels(probabilities, labels, classes) {
  const likelihood = new Float64Array(labels.length);
  const correct = new Uint8Array(labels.length);
  for (let at = 0; at < labels.length; at++) {
    const row = probabilities.subarray(at * classes, (at + 1) * classes);
    const isSound = row.every((value) => value >= 0 && value < Infinity);
    const best = row.indexOf(Math.max(...row)); // the first of equals
    const found = isSound ? row[labels[at]] : 0;
    likelihood[at] = Math.log(Math.min(1, Math.max(SMALLEST, found)));
    correct[at] = Number(isSound && best === labels[at]);
  }
  return new Predictions(likelihood, correct);
}

export function mean(values) {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}

/** Accuracy, loss (nats) and how many examples they are of. */
export function scoreOf({ logLikelihood, correct, count }) {
  return { accuracy: mean(correct), loss: -mean(logLikelihood) + 0, n: count };
}
