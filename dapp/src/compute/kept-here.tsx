import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Shelf, type Shelved } from "../engine/shelf.ts";
import { Button } from "../ui/button.tsx";
import { Card } from "../ui/card.tsx";
import { Table } from "../ui/table.tsx";
import { Time } from "../ui/values.tsx";
import { Failed } from "./working.tsx";

/** Names the list of what is kept here. */
export const shelvesKey = ["shelves"];

/** What is lost with a shelf that is still needed. */
const lost = { signed: "with its receipts", unread: "though it was not given back" } as const;
const anyway = (asked: { readonly lost: string }) => `Remove it, ${asked.lost}`;

/** What has been encoded in this browser, and a way to look again after that has changed. */
export function useKeptHere() {
  const queries = useQueryClient();
  const { data = [] } = useQuery({ queryKey: shelvesKey, queryFn: () => Shelf.list() });
  return { shelves: data, lookAgain: () => void queries.invalidateQueries({ queryKey: shelvesKey }) };
}

/** Datasets whose bundles lie in this browser, finished or not; nothing where there are none. */
export function KeptHere() {
  const { shelves, lookAgain } = useKeptHere();
  const [failure, setFailure] = useState<unknown>();
  const [asked, setAsked] = useState<{ name: string; lost: string }>();
  if (shelves.length === 0) return null;
  const remove = async ({ name }: Shelved) => {
    // Nodes may have signed since the list was read.
    const shelf = (await Shelf.list()).find((each) => each.name === name);
    if (shelf?.need !== undefined && asked?.name !== name) setAsked({ name, lost: lost[shelf.need] });
    else await Shelf.remove(name);
  };
  return (
    <Card title="Kept in this browser">
      <p>
        Choose the same files and settings again, and what was encoded, sent and signed for before is taken
        over. The four that were worked on last are kept, what storage nodes have signed for within a day, and
        what they hold and have not given back when they were asked.
      </p>
      {failure !== undefined && <Failed what="It could not be removed" error={failure} />}
      <Table
        caption="Datasets kept in this browser"
        rows={shelves}
        keyOf={({ name }) => name}
        columns={[
          { head: "What", cell: ({ title }) => title },
          { head: "Finished bundles", isNumber: true, cell: ({ bundles }) => bundles.toLocaleString("en") },
          { head: "Last worked on", cell: ({ written }) => <Time at={Math.floor(written / 1000)} /> },
          {
            head: "Give its room back",
            cell: (shelf) => (
              <Button
                onClick={() => {
                  setFailure(undefined);
                  remove(shelf).catch(setFailure).finally(lookAgain);
                }}
                aria-label={
                  asked?.name === shelf.name ? `${anyway(asked)}: ${shelf.title}` : `Remove ${shelf.title}`
                }
              >
                {asked?.name === shelf.name ? anyway(asked) : "Remove"}
              </Button>
            ),
          },
        ]}
      />
    </Card>
  );
}
