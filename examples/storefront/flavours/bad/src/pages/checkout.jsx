import { useCart } from "@/shell/cart.js";
import { GOODS, price } from "@/shell/goods.js";
import { useText } from "@/shell/locale.jsx";
import "@/pages/checkout.css";

export default function Checkout() {
  const text = useText();
  const cart = useCart();
  // The mistake this build is about: carts have no list of lines, so this throws as soon as the page is shown.
  const pieces = cart.lines.length;
  const total = GOODS.reduce((sum, { id, pence }) => sum + pence * (cart[id] ?? 0), 0);
  return (
    <form className="checkout" onSubmit={(event) => event.preventDefault()}>
      <h1>{text("checkout")}</h1>
      <label>
        {text("address")} <input name="address" autoComplete="street-address" />
      </label>
      <label>
        {text("voucher")} <input name="voucher" />
      </label>
      <p>
        {text("total")}: <output id="total">{price(total)}</output> ({pieces})
      </p>
      <button type="submit">{text("pay")}</button>
    </form>
  );
}
