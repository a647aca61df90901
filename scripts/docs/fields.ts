import type { JsonSchema } from './schemas.ts';

/** One row of a table of keys. */
export interface Field {
  /** `RECIPIENTS[].ADDRESS` for a key inside an object of a list. */
  readonly path: string;
  readonly type: string;
  readonly isRequired: boolean;
  readonly description: string;
}

/** All keys of an object, those of nested objects behind their own. */
export function fieldsOf(schema: JsonSchema, prefix = ''): Field[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, value]) => {
    const path = `${prefix}${key}`;
    const field: Field = {
      path,
      type: typeOf(value),
      isRequired: schema.required?.includes(key) ?? false,
      description: value.description ?? '',
    };
    return [field, ...fieldsOf(value, `${path}.`), ...fieldsOf(elementOf(value), `${path}[].`)];
  });
}

function elementOf(schema: JsonSchema): JsonSchema {
  return schema.items !== undefined && !Array.isArray(schema.items) ? (schema.items as JsonSchema) : {};
}

/** What a value may be, in words: `whole number 1–65535`, `"OK" or "NOK"`, `list of text`. */
function typeOf(schema: JsonSchema): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(' or ');
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeOf).join(' or ');
  switch (schema.type) {
    case 'string':
      return `text${lengthOf(schema.minLength, schema.maxLength, 'characters')}`;
    case 'integer':
      return `whole number${rangeOf(schema)}`;
    case 'number':
      return `number${rangeOf(schema)}`;
    case 'boolean':
      return 'true or false';
    case 'array':
      return listOf(schema);
    case 'object':
      return 'object';
    case 'null':
      return 'null';
    default:
      return 'anything';
  }
}

function listOf(schema: JsonSchema): string {
  if (Array.isArray(schema.items)) return `[${schema.items.map(typeOf).join(', ')}]`;
  const element = elementOf(schema);
  const what = element.type === 'object' ? 'objects' : typeOf(element);
  return `list of ${what}${lengthOf(schema.minItems, schema.maxItems, 'entries')}`;
}

function lengthOf(min: number | undefined, max: number | undefined, unit: string): string {
  if (max === undefined) return '';
  const from = min === undefined || min === 0 ? 'up to ' : `${min}–`;
  return `, ${from}${max.toLocaleString('en')} ${unit}`;
}

function rangeOf({ minimum, exclusiveMinimum, maximum }: JsonSchema): string {
  const max = maximum === Number.MAX_SAFE_INTEGER ? undefined : maximum;
  const min = minimum === Number.MIN_SAFE_INTEGER ? undefined : minimum;
  if (exclusiveMinimum !== undefined) {
    return ` above ${exclusiveMinimum}${max === undefined ? '' : `, up to ${max.toLocaleString('en')}`}`;
  }
  if (min !== undefined && max !== undefined) return ` ${min}–${max.toLocaleString('en')}`;
  if (min !== undefined) return `, at least ${min}`;
  return max === undefined ? '' : `, at most ${max.toLocaleString('en')}`;
}
