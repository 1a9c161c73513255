import { useCart } from "@/shell/cart.js";
import { GOODS, price } from "@/shell/goods.js";
import { useText } from "@/shell/locale.jsx";
import { Link } from "@/shell/router.jsx";

export default function Cart() {
  const text = useText();
  const cart = useCart();
  const chosen = GOODS.filter(({ id }) => cart[id]);
  return (
    <>
      <h1>{text("cart")}</h1>
      {chosen.length === 0 && <p>{text("empty")}</p>}
      <ul>
        {chosen.map(({ id, name, pence }) => (
          <li key={id}>
            {cart[id]} × {name}: {price(cart[id] * pence)}
          </li>
        ))}
      </ul>
      <Link to="/checkout">{text("checkout")}</Link>
    </>
  );
}
