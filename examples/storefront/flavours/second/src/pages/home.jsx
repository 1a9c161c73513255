import { GOODS, price } from "@/shell/goods.js";
import { useText } from "@/shell/locale.jsx";
import { Link } from "@/shell/router.jsx";

/** The second build's home page: the banner says what is offered, the cheapest come first. */
export default function Home() {
  const text = useText();
  const byPrice = GOODS.toSorted((one, other) => one.pence - other.pence);
  return (
    <>
      <h1>{text("shop")}</h1>
      <figure>
        <img className="banner" src="/assets/banner.png" alt="" width="480" height="120" />
        <figcaption>{text("welcome")}</figcaption>
      </figure>
      <ol className="goods">
        {byPrice.map(({ id, name, pence, image }) => (
          <li key={id}>
            <Link to={`/products/${id}`}>
              <img src={image} alt="" width="64" height="64" />
              {name}, {price(pence)}
            </Link>
          </li>
        ))}
      </ol>
    </>
  );
}
