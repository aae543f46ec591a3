/**
 * Corrects for the label prior: a model trained on one label mix is used on another
 * (`ecavg_tf/core/deciding/prior.py`).
 */

/** Class probabilities (n_c + 1) / (n + C): Laplace's rule of succession. */
export function labelPrior(counts) {
  const total = counts.reduce((sum, count) => sum + count, 0) + counts.length;
  return counts.map((count) => (count + 1) / total);
}

/** Whether two samples could have been drawn from one label mix (Pearson's two-sample test). */
export function isSameMix(counts, trainedOn) {
  const seen = counts.map((_, at) => at).filter((at) => counts[at] + trainedOn[at] > 0);
  const sums = [counts, trainedOn].map((each) => seen.reduce((sum, at) => sum + each[at], 0));
  if (!sums[0] || !sums[1]) return false;
  const [ours, theirs] = [Math.sqrt(sums[1] / sums[0]), Math.sqrt(sums[0] / sums[1])];
  let statistic = 0;
  for (const at of seen) {
    statistic += (counts[at] * ours - trainedOn[at] * theirs) ** 2 / (counts[at] + trainedOn[at]);
  }
  const freedom = seen.length - 1;
  return statistic <= freedom + 3 * Math.sqrt(2 * freedom);
}

/** What to add to a model's logits where its label mix is another, nats. */
export function priorShift(counts, trainedOn) {
  const [ours, theirs] = [counts, trainedOn].map(labelPrior);
  return ours.map((share, at) => Math.log(share) - Math.log(theirs[at]));
}
