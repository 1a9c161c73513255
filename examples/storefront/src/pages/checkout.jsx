import { useCart } from "@/shell/cart.js";
import { GOODS, price } from "@/shell/goods.js";
import { useText } from "@/shell/locale.jsx";
import "./checkout.css";

export default function Checkout() {
  const text = useText();
  const cart = useCart();
  const total = GOODS.reduce((sum, { id, pence }) => sum + pence * (cart[id] ?? 0), 0);
  return (
    <form className="checkout" onSubmit={(event) => event.preventDefault()}>
      <h1>{text("checkout")}</h1>
      <label>
        {text("address")} <input name="address" autoComplete="street-address" />
      </label>
      <p>
        {text("total")}: <output id="total">{price(total)}</output>
      </p>
      <button type="submit">{text("pay")}</button>
    </form>
  );
}
