import { HOURS } from "./hours.js";

export function table() {
  const list = document.createElement("ul");
  for (const [days, hours] of HOURS) {
    const line = document.createElement("li");
    line.textContent = `${days}: ${hours}`;
    list.append(line);
  }
  return list;
}
