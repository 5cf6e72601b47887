import { Failure, Skeleton } from "../../ui/states.tsx";
import { Transaction } from "../../ui/values.tsx";
import styles from "./dispute.module.css";
import type { Ruling } from "./ruling.ts";

/** What a mantissa and an exponent stand for, in decimal. */
function decimal(mantissa: bigint, exponent: number): string {
  return (Number(mantissa) * 2 ** exponent).toPrecision(8);
}

/** What a conviction rests on: the number that the provider committed to and what the operands give, or what else it was. */
export function DisputedNumber({ ruling: { transaction, isTimeout, read } }: { ruling: Ruling }) {
  if (transaction === undefined) return null;
  if (isTimeout) {
    return (
      <p>
        The provider did not answer in time, and{" "}
        <Transaction hash={transaction}>lost the dispute by that</Transaction>: no number was compared.
      </p>
    );
  }
  if (read.error !== null) {
    return (
      <Failure what="The ruling could not be read" error={read.error} retry={() => void read.refetch()} />
    );
  }
  if (read.data === undefined) return <Skeleton lines={2} label="Reading the ruling" />;
  if (read.data === null) {
    return (
      <p>
        The contracts found the provider wrong in{" "}
        <Transaction hash={transaction}>this transaction</Transaction>, not by computing one number from its
        operands, so there is none to show.
      </p>
    );
  }
  const { opcode, step, element, exponent, claimed, computed } = read.data;
  return (
    <figure className={styles.numbers}>
      <figcaption>
        Element {(element + 1).toLocaleString("en")} of the tensor, in step {(step + 1).toLocaleString("en")}{" "}
        (<code>{opcode}</code>)
      </figcaption>
      <dl className={styles.pair}>
        <div className={styles.claimed}>
          <dt>The provider said</dt>
          <dd>{claimed.toLocaleString("en")}</dd>
          <dd className={styles.decimal}>
            · 2<sup>{exponent}</sup> = {decimal(claimed, exponent)}
          </dd>
        </div>
        <div className={styles.computed}>
          <dt>It is</dt>
          <dd>{computed.toLocaleString("en")}</dd>
          <dd className={styles.decimal}>
            · 2<sup>{exponent}</sup> = {decimal(computed, exponent)}
          </dd>
        </div>
      </dl>
      <p className={styles.note}>
        Computed again in this browser from the operands in{" "}
        <Transaction hash={transaction}>the ruling</Transaction>, as the contract did.
      </p>
    </figure>
  );
}
