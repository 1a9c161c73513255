const BUILD_LABEL = import.meta.env.VITE_BUILD_LABEL;

/** `<opening-hours>` on anyone's page: the details are loaded when somebody asks for them. */
class OpeningHours extends HTMLElement {
  connectedCallback() {
    this.dataset.build = BUILD_LABEL;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Opening hours";
    button.addEventListener("click", () => this.#show(), { once: true });
    this.replaceChildren(button);
  }

  async #show() {
    const [{ table }, { clock }] = await Promise.all([import("./table.js"), import("./clock.js")]);
    this.replaceChildren(clock(), table());
  }
}

customElements.define("opening-hours", OpeningHours);
