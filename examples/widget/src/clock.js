import face from "./clock.svg";

export function clock() {
  return Object.assign(document.createElement("img"), { src: face, alt: "", width: 32, height: 32 });
}
