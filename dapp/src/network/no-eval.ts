import { z } from "zod";

// Zod compiles its schemas with `new Function` unless it is told not to; the content security policy forbids that. This
// has to run before any schema is made.
z.config({ jitless: true });
