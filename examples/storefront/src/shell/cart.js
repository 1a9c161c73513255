import { useSyncExternalStore } from "react";

const KEY = "cart";
const listeners = new Set();

const read = () => localStorage.getItem(KEY) ?? "{}";

function subscribe(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Number of pieces by product id, kept in the browser. */
export function useCart() {
  return JSON.parse(useSyncExternalStore(subscribe, read));
}

export function addToCart(id) {
  const cart = JSON.parse(read());
  localStorage.setItem(KEY, JSON.stringify({ ...cart, [id]: (cart[id] ?? 0) + 1 }));
  listeners.forEach((listener) => listener());
}
