// What a visitor can do in a tab: each action is a function of the session, its value and the whole message entry.

import { Patience } from "./patience.mjs";

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export const ACTIONS = {
  /** Loads a document into the tab. */
  navigate(session, address) {
    return session.open(session.resolve(address), "navigate");
  },

  reload(session) {
    return session.open(session.page?.document.URL ?? session.origin.href, "reload");
  },

  /** A click of the main button, with the events around it. */
  click(session, selector) {
    const element = session.element(selector);
    const { window } = session.page;
    const init = { bubbles: true, cancelable: true, composed: true, view: window, detail: 1, button: 0 };
    const Pointer = window.PointerEvent ?? window.MouseEvent;
    element.dispatchEvent(new Pointer("pointerdown", { ...init, buttons: 1 }));
    element.dispatchEvent(new window.MouseEvent("mousedown", { ...init, buttons: 1 }));
    if (element.tabIndex >= 0) element.focus();
    element.dispatchEvent(new Pointer("pointerup", init));
    element.dispatchEvent(new window.MouseEvent("mouseup", init));
    element.dispatchEvent(new Pointer("click", init));
  },

  /** Changes the route as the back button does: the address, and a popstate event. */
  route(session, address) {
    const { window } = session.page ?? {};
    if (!window) throw new Error("no page is open");
    window.history.pushState(null, "", session.resolve(address));
    window.dispatchEvent(new window.PopStateEvent("popstate", { state: null }));
  },

  wait(session, ms) {
    return sleep(Math.min(Number(ms), session.deadline - Date.now()));
  },

  async waitFor(session, selector, { ms = 2_000 }) {
    const patience = new Patience(ms, session.deadline);
    while (!session.page?.document.querySelector(selector)) {
      if (patience.over) {
        throw new Error(`nothing matched ${selector} within ${ms} ms on ${session.page?.document.URL}`);
      }
      await sleep(10);
    }
  },

  /** Runs a script in the page. */
  evaluate(session, source) {
    session.page?.run(String(source));
  },
};
