import kettle from "../images/kettle.svg";
import lantern from "../images/lantern.svg";
import rope from "../images/rope.svg";

export const GOODS = [
  { id: "kettle", name: "Galley kettle", pence: 3200, image: kettle },
  { id: "lantern", name: "Storm lantern", pence: 4550, image: lantern },
  { id: "rope", name: "Mooring rope", pence: 1875, image: rope },
];

export const price = (pence) => `£${(pence / 100).toFixed(2)}`;
