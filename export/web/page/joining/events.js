/** What the edge tells while it takes part, for people. */

import { fact, tell, training } from "./progress.js";
import { decisionWords } from "./words.js";

/**
 * A listener of the edge.
 *
 * @param {() => void} onaccepted told of another accepted model.
 * @param {() => void} onstage told that another part of the work begins.
 */
export function events(onaccepted, onstage) {
  const words = {
    note: ({ text }) => {
      training(null);
      tell(text);
    },
    stage: ({ text }) => {
      training(`${text} …`);
      tell(`${text} …`);
      onstage();
    },
    epoch: ({ round, epoch, epochs, loss }) => {
      training(`Round ${round}: training, epoch ${epoch} of ${epochs}`, epoch / epochs);
      fact("Training", `epoch ${epoch} of ${epochs} in round ${round}, loss ${loss.toFixed(4)}`);
    },
    decision: (decision) => {
      training(null);
      tell(decisionWords(decision));
      fact("Decision", decisionWords(decision));
      onaccepted();
    },
    over: () => {
      training(null);
      tell("The run is over. The accepted model stays on this device.");
    },
  };
  return (event) => words[event.kind]?.(event);
}
