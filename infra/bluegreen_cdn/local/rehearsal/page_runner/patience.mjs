// How long to wait for a page, on machines that now and then stand still for seconds.

/** A round of waiting takes milliseconds; what one took beyond this, the page did not have either. */
const STALL_MS = 250;

export class Patience {
  #end;
  #limit;
  #looked = Date.now();

  /**
   * @param ms how long to wait; time that the machine stood still comes on top
   * @param limit when to end in any case, in milliseconds since 1970
   */
  constructor(ms, limit) {
    this.#limit = limit;
    this.#end = Math.min(this.#looked + ms, limit);
  }

  /** Whether it has come to its end; asked in every round. */
  get over() {
    const now = Date.now();
    const round = now - this.#looked;
    this.#looked = now;
    if (round > STALL_MS) this.#end = Math.min(this.#end + round, this.#limit);
    return now >= this.#end;
  }
}
