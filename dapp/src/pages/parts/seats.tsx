import type { WhoCheckedQuery } from "../../../../subgraph/queries/documents.ts";
import { Badge, type Tone } from "../../ui/badge.tsx";
import { Account, Transaction } from "../../ui/values.tsx";
import type { Seat, Sitting } from "./job-events.ts";
import styles from "./seats.module.css";

const words: Record<Seat["said"], readonly [words: string, tone: Tone]> = {
  agrees: ["Agrees", "healthy"],
  differs: ["Differs", "wrong"],
  silent: ["Did not sign", "waiting"],
  signed: ["Signed", "waiting"],
  drawn: ["Drawn", "neutral"],
};

/** Who sat on a committee, and what each said. */
export function Seats({
  sitting,
  members,
  threshold,
}: {
  sitting: Sitting;
  members: NonNullable<WhoCheckedQuery["job"]>["attestations"][number]["members"];
  threshold: number;
}) {
  const agree = sitting.seats.filter(({ said }) => said === "agrees").length;
  const operatorOf = (validator: string) => members.find(({ id }) => id === validator)?.operator.id;
  return (
    <div className={styles.sitting}>
      <p>
        {sitting.seats.length} validators were <Transaction hash={sitting.drawn}>drawn by lot</Transaction> to
        execute parts of the training again; {threshold} must agree.{" "}
        {sitting.signed !== undefined && (
          <>
            {agree} do: <Transaction hash={sitting.signed}>one signature of all who signed</Transaction>.
          </>
        )}
      </p>
      <ol className={styles.seats}>
        {sitting.seats.map(({ validator, said, isSlashed }) => {
          const operator = operatorOf(validator);
          const [word, tone] = words[said];
          return (
            <li key={validator} className={`${styles.seat} ${styles[tone]}`}>
              <span className={styles.number}>Validator {validator}</span>
              {operator !== undefined && <Account address={operator} />}
              <Badge tone={tone}>{isSlashed ? `${word}: slashed` : word}</Badge>
            </li>
          );
        })}
      </ol>
    </div>
  );
}
