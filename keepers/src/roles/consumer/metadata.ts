import { z } from "zod";
import { BadInputError } from "../../core/errors.ts";

/** Metadata of a certificate: ERC-721's, with what it says as attributes by name. */
export type CertificateMetadata = {
  readonly name: string;
  readonly description: string;
  readonly attributes: Readonly<Record<string, string | number>>;
};

const prefix = "data:application/json;base64,";

const schema = z.object({
  name: z.string(),
  description: z.string(),
  attributes: z.array(z.object({ trait_type: z.string(), value: z.union([z.string(), z.int()]) })),
});

/** Reads the data URI that a certificate gives of itself. @throws BadInputError when it is another URI, or malformed */
export function readMetadata(uri: string): CertificateMetadata {
  if (!uri.startsWith(prefix)) throw new BadInputError("The certificate's metadata are not in its own URI.");
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(uri.slice(prefix.length), "base64").toString("utf8"));
  } catch (cause) {
    throw new BadInputError("The certificate's metadata are no JSON.", { cause });
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new BadInputError("The certificate's metadata are malformed.");
  const { name, description, attributes } = parsed.data;
  return {
    name,
    description,
    attributes: Object.fromEntries(attributes.map(({ trait_type, value }) => [trait_type, value])),
  };
}
