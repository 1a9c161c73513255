import { GOODS, price } from "@/shell/goods.js";
import { useText } from "@/shell/locale.jsx";
import { Link } from "@/shell/router.jsx";

export default function Home() {
  const text = useText();
  return (
    <>
      <img className="banner" src="/assets/banner.png" alt="" width="480" height="120" />
      <h1>{text("shop")}</h1>
      <p>{text("welcome")}</p>
      <ul className="goods">
        {GOODS.map(({ id, name, pence, image }) => (
          <li key={id}>
            <Link to={`/products/${id}`}>
              <img src={image} alt="" width="64" height="64" />
              {name}, {price(pence)}
            </Link>
          </li>
        ))}
      </ul>
    </>
  );
}
