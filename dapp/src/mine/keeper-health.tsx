import { useState } from "react";
import { useNetwork } from "../network/context.ts";
import { Badge } from "../ui/badge.tsx";
import { Button } from "../ui/button.tsx";
import { Card } from "../ui/card.tsx";
import { Field } from "../ui/field.tsx";
import { EmptyState, Failure, Skeleton } from "../ui/states.tsx";
import { Table } from "../ui/table.tsx";
import { checksOf } from "./keeper-checks.ts";
import styles from "./mine.module.css";
import { keepAddress, keptAddress, useKeeper } from "./own-keeper.ts";

/** Health of the visitor's own keeper, from its metrics endpoint; the address stays in this browser. */
export function KeeperHealth() {
  const network = useNetwork();
  const [url, setUrl] = useState(() => keptAddress() || (network.metrics ?? ""));
  const [typed, setTyped] = useState(url);
  const health = useKeeper(url);
  const look = () => {
    keepAddress(typed);
    setUrl(typed);
  };
  return (
    <Card
      title="My keeper"
      aside={
        health.data === undefined ? undefined : (
          <Badge tone={health.data.report.ok ? "healthy" : "wrong"}>
            {health.data.report.ok ? "All is well" : "Something is wrong"}
          </Badge>
        )
      }
    >
      <form
        className={styles.look}
        onSubmit={(event) => {
          event.preventDefault();
          look();
        }}
      >
        <Field
          label="Address of its metrics"
          type="url"
          value={typed}
          placeholder="http://127.0.0.1:9400"
          onChange={(event) => setTyped(event.target.value.trim())}
          hint={
            <>
              What <code>--metrics-port</code> of your keeper opened, with this page's address in{" "}
              <code>--metrics-origin</code>. It is kept in this browser alone.
            </>
          }
        />
        <div>
          <Button type="submit">Look</Button>
        </div>
      </form>
      {url === "" ? (
        <EmptyState title="No keeper is looked at." />
      ) : health.error !== null ? (
        <Failure what="The keeper does not answer" error={health.error} retry={() => void health.refetch()} />
      ) : health.data === undefined ? (
        <Skeleton />
      ) : (
        <>
          <Table
            caption="How its parts are"
            rows={checksOf(health.data.report)}
            keyOf={({ name }) => name}
            columns={[
              { head: "Part", cell: ({ name }) => name },
              {
                head: "State",
                cell: ({ ok }) => <Badge tone={ok ? "healthy" : "wrong"}>{ok ? "Well" : "Not well"}</Badge>,
              },
              { head: "What it says", cell: ({ said }) => (said === "" ? "–" : said) },
            ]}
          />
          <Table
            caption="What the keeper measures"
            rows={health.data.samples}
            keyOf={({ name, labels }) => `${name}${labels}`}
            columns={[
              { head: "Metric", cell: ({ name }) => <code>{name}</code> },
              { head: "Of", cell: ({ labels }) => labels },
              { head: "Value", isNumber: true, cell: ({ value }) => value.toLocaleString("en") },
            ]}
          />
        </>
      )}
    </Card>
  );
}
