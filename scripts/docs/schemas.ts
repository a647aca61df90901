import { z } from 'zod';
import type { MessageEntry } from '../../protocol/index.ts';

/** JSON Schema, as far as our documents read it. */
export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema | readonly JsonSchema[];
  readonly additionalProperties?: boolean | JsonSchema;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly JsonSchema[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly pattern?: string;
}

/**
 * The JSON Schema of what a sender of the message may write (draft 7, which every validator knows). Unknown
 * keys are allowed, as on the wire.
 */
export function schemaOf(message: MessageEntry): JsonSchema {
  const { $schema, ...schema } = z.toJSONSchema(message.schema, { target: 'draft-7', io: 'input' });
  return {
    $schema,
    title: message.title,
    description: message.description,
    ...schema,
    examples: [message.example],
  } as JsonSchema;
}
