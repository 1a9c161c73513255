import { addToCart } from "@/shell/cart.js";
import { GOODS, price } from "@/shell/goods.js";
import { useText } from "@/shell/locale.jsx";

export default function Product({ id }) {
  const text = useText();
  const product = GOODS.find((goods) => goods.id === id);
  if (!product) return <h1>{text("missing")}</h1>;
  return (
    <>
      <h1>{product.name}</h1>
      <img src={product.image} alt="" width="160" height="160" />
      <p>{price(product.pence)}</p>
      <button type="button" id="add" onClick={() => addToCart(id)}>
        {text("add")}
      </button>
    </>
  );
}
