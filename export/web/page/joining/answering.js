/** The part of the page where the accepted model answers what is put in: also without a network. */

import { Card } from "../cards.js";
import { byId } from "../dom.js";
import { checkValues } from "../predictor.js";
import { rungWords } from "./words.js";

export class Answering {
  /**
   * @param {object} store what this browser keeps of the edge.
   * @param {object} info what the model takes and tells apart.
   * @param {(error: Error) => void} fail told what went wrong.
   */
  constructor(store, info, fail) {
    Object.assign(this, { store, info, fail, model: null, example: null });
    this.turn = Promise.resolve();
    this.card = new Card({ name: "accepted" }, info);
    byId("cards").replaceChildren(this.card.node);
    byId("answer").hidden = byId("quick").hidden = true;
  }

  /** Loads the model that was accepted last, if there is one. */
  load() {
    return this.#inTurn(async () => {
      const { acceptedModel } = await import("../learning/accepted.js");
      this.model?.close();
      this.model = await acceptedModel(this.store);
      byId("answer").hidden = !this.model;
      if (!this.model) return;
      const { round, rung, alpha } = this.model;
      this.card.fact("Origin", `round ${round}: ${rungWords(rung, alpha)}`);
      await this.#show();
    });
  }

  /** Answers an example; null: there is none. */
  answer(example) {
    this.example = example;
    return this.#inTurn(() => this.#show());
  }

  async #show() {
    const { model, card, example } = this;
    if (!model) return;
    byId("quick").hidden = !example;
    if (!example) {
      card.clear();
      return;
    }
    checkValues(example.values, this.info);
    byId("quick").textContent = `${example.name}: ${card.show(await model.probabilities(example.values))}`;
  }

  /** One after the other: no model is closed while it answers. */
  #inTurn(work) {
    this.turn = this.turn.then(work).catch(this.fail);
    return this.turn;
  }
}
