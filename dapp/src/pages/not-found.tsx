import { ButtonLink } from "../ui/button.tsx";
import { PageHead } from "../ui/card.tsx";

/** An address that leads nowhere. */
export default function NotFound() {
  return (
    <>
      <PageHead title="There is no such page" />
      <div>
        <ButtonLink to="/">To the overview</ButtonLink>
      </div>
    </>
  );
}
