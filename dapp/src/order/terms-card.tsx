import { Card } from "../ui/card.tsx";
import { Choice, Field, Fields } from "../ui/field.tsx";
import type { OrderForm, Problems } from "./form.ts";
import type { FieldOf } from "./model-card.tsx";
import { MoreSettings } from "./more-settings.tsx";

type Props = {
  readonly form: OrderForm;
  readonly problems: Problems;
  readonly change: (changes: Partial<OrderForm>) => void;
  readonly field: FieldOf;
};

const folded = [
  "auctionMinutes",
  "expiryHours",
  "trainingMinutes",
  "instalments",
  "threshold",
  "checkFee",
] as const;

/** The third part of an order: who gets it, what is paid, and who vouches for the result. */
export function TermsCard({ form, problems, change, field }: Props) {
  return (
    <Card title="3. The terms">
      <Fields>
        <Choice
          label="Who gets the order"
          value={form.way}
          onChange={({ target }) => change({ way: target.value as OrderForm["way"] })}
        >
          <option value="auction">The lowest of sealed bids</option>
          <option value="direct">Whoever takes it first</option>
        </Choice>
        <Field
          label="Pay at most, tokens"
          inputMode="decimal"
          {...field("price")}
          hint="Orders of this page, and bids for them, count in tokens: they name no price feed"
        />
        <Field
          label="Validators that check it"
          inputMode="numeric"
          {...field("committee")}
          hint="0: nobody has to; anyone may dispute it"
        />
      </Fields>
      <MoreSettings hasProblem={folded.some((name) => problems[name] !== undefined)}>
        <Fields>
          <Field label="Of whom must agree" inputMode="numeric" {...field("threshold")} />
          <Field label="Fee for each interval checked, tokens" inputMode="decimal" {...field("checkFee")} />
          <Field
            label="Instalments"
            inputMode="numeric"
            {...field("instalments")}
            hint="1: one payment at the end"
          />
          <Field label="Minutes to train" inputMode="numeric" {...field("trainingMinutes")} />
          {form.way === "auction" && (
            <Field
              label="Minutes for each phase of the auction"
              inputMode="numeric"
              {...field("auctionMinutes")}
            />
          )}
          <Field label="Hours in which it can be taken" inputMode="numeric" {...field("expiryHours")} />
        </Fields>
      </MoreSettings>
    </Card>
  );
}
