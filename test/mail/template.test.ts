import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compileTemplate,
  missingVariable,
  TemplateError,
  type TemplateMode,
  type TemplateVariables,
} from '../../mail/index.ts';

function render(source: string, variables: TemplateVariables, mode: TemplateMode = 'text'): string {
  return compileTemplate(source, mode).render(variables);
}

function errorOf(action: () => unknown): TemplateError {
  try {
    action();
  } catch (error) {
    if (error instanceof TemplateError) return error;
    throw error;
  }
  throw new Error('no error');
}

describe('a template', () => {
  it('writes variables raw in text and escaped in html, and raw there on request', () => {
    const name = `<b>&"'`;
    expect(render('{{name}} {{{name}}} {{&name}}', { name })).toBe(`${name} ${name} ${name}`);
    expect(render('{{name}} {{{name}}} {{& name}}', { name }, 'html')).toBe(
      `&lt;b&gt;&amp;&quot;&#39; ${name} ${name}`,
    );
  });

  it('writes numbers and booleans, and nothing for what is no text', () => {
    const values = { zero: 0, half: 0.5, yes: true, no: false, none: null, list: [1], object: { a: 1 } };
    expect(render('{{zero}}|{{half}}|{{yes}}|{{no}}|{{none}}|{{list}}|{{object}}|{{absent}}', values)).toBe(
      '0|0.5|true|false||||',
    );
  });

  it('reads dotted names and names with spaces', () => {
    expect(render('{{a.b.c}} {{first name}}', { a: { b: { c: 'deep' } }, 'first name': 'Ann' })).toBe(
      'deep Ann',
    );
    expect(render('[{{a.b.c}}{{a.x.y}}]', { a: { b: 'text' } })).toBe('[]');
  });

  it('repeats a section for each element of a list, with the element as context', () => {
    expect(
      render('{{#items}}{{name}}/{{shop}};{{/items}}', { shop: 'S', items: [{ name: 'a' }, { name: 'b' }] }),
    ).toBe('a/S;b/S;');
    expect(render('{{#items}}<{{.}}>{{/items}}', { items: ['a', 1, true] })).toBe('<a><1><true>');
    expect(render('{{#rows}}{{#.}}{{.}},{{/.}};{{/rows}}', { rows: [[1, 2], [3]] })).toBe('1,2,;3,;');
  });

  it('shows a section once for what is true, and its inverse for what is not', () => {
    for (const value of [true, 'x', 1, {}, [0]])
      expect(render('{{#v}}y{{/v}}{{^v}}n{{/v}}', { v: value })).toBe('y');
    for (const value of [false, '', 0, null, undefined, []]) {
      expect(render('{{#v}}y{{/v}}{{^v}}n{{/v}}', { v: value })).toBe('n');
    }
  });

  it('seeks the first part of a name outwards and the others only in what that named', () => {
    expect(
      render('{{#person}}{{name}} of {{city}}{{/person}}', { city: 'Rome', person: { name: 'Ann' } }),
    ).toBe('Ann of Rome');
    expect(render('[{{#a}}{{b.c}}{{/a}}]', { a: { b: {} }, b: { c: 'outer' } })).toBe('[]');
  });

  it('leaves out comments, and lines on which only a section tag stands', () => {
    expect(render('a{{! note }}b\n{{#v}}\nline\n{{/v}}\nend', { v: true })).toBe('ab\nline\nend');
  });

  it('reads own properties only, and calls nothing', () => {
    const called = () => {
      throw new Error('called');
    };
    const variables = {
      text: 'abc',
      list: [1, 2],
      function: called,
      inherited: Object.create({ secret: 'no' }),
    } as unknown as TemplateVariables;
    const source =
      '{{constructor}}{{constructor.name}}{{__proto__.x}}{{toString}}{{text.length}}{{list.length}}{{list.0}}{{inherited.secret}}{{function}}';
    expect(render(source, variables)).toBe('');
    expect(render('[{{constructor}}]', { constructor: 'own' } as unknown as TemplateVariables)).toBe('[own]');
    expect(render('[{{__proto__}}]', JSON.parse('{"__proto__":"own"}'))).toBe('[own]');
  });

  it('is a list of fixed text and slots that can be cut apart', () => {
    expect(compileTemplate('Hi {{name}}, {{{x.y}}}', 'html').parts).toEqual([
      { kind: 'text', text: 'Hi ' },
      { kind: 'value', path: ['name'], escape: true },
      { kind: 'text', text: ', ' },
      { kind: 'value', path: ['x', 'y'], escape: false },
    ]);
    expect(compileTemplate('Hi', 'text').isConstant).toBe(true);
    expect(compileTemplate('Hi {{x}}', 'text').isConstant).toBe(false);
    expect(compileTemplate('', 'text')).toMatchObject({ isConstant: true, parts: [] });
  });

  it('without tags is itself, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (source) => {
        if (!/\{\{|\0/.test(source)) expect(render(source, {}, 'html')).toBe(source);
      }),
    );
  });

  it('never lets a value out of its place in html', () => {
    fc.assert(
      fc.property(fc.string(), (value) => {
        const html = render('<p title="{{v}}">{{v}}</p>', { v: value }, 'html');
        expect(html.match(/[<>"']/g)?.join('')).toBe('<""><>');
      }),
    );
  });
});

describe('a header template', () => {
  it('keeps every value on one line', () => {
    expect(render('Hi {{v}}!', { v: 'a\r\nBcc: x\0\u2028b' }, 'header')).toBe('Hi a Bcc: x b!');
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        const header = render('{{v}} {{{v}}}{{#l}}{{.}}{{/l}}', { v: value, l: [value] }, 'header');
        expect(header).not.toMatch(/[\0-\x1f\x7f]/);
      }),
    );
  });

  it('with a line break of its own is refused', () => {
    for (const source of ['a\r\nBcc: x', 'a\nb', 'a\rb', 'a\0b', '{{#a}}\n{{/a}}', '{{! \n }}']) {
      expect(errorOf(() => compileTemplate(source, 'header')).code).toBe('TEMPLATE_INVALID');
    }
  });

  it('does not escape for html', () => {
    expect(render('{{v}}', { v: '<&>' }, 'header')).toBe('<&>');
  });
});

describe('the variables a template requires', () => {
  it.each([
    ['{{a}} {{{b}}} {{&c.d}} {{a}}', ['a', 'b', 'c.d']],
    ['{{#a}}{{a}} {{b}} {{#c}}{{d}}{{/c}}{{/a}}', []],
    ['{{#a}}x{{/a}}', []],
    ['{{^a}}{{a}} {{a.b}} {{b}}{{/a}}', ['b']],
    ['{{#name}}Dear {{name}}{{/name}}{{^name}}Hello{{/name}}', []],
    ['{{#a}}x{{/a}}{{a}}', ['a']],
    ['{{! a }}{{.}}', []],
  ])('of %j are %j', (source, required) => {
    expect(compileTemplate(source, 'text').required).toEqual(required);
  });

  it('are missing when absent, null or no text, and there when empty', () => {
    expect(missingVariable(['a'], {})).toBe('a');
    expect(missingVariable(['a'], { a: null })).toBe('a');
    expect(missingVariable(['a'], { a: { b: 1 } })).toBe('a');
    expect(missingVariable(['toString'], {})).toBe('toString');
    expect(missingVariable(['a.b', 'a.c'], { a: { b: '' } })).toBe('a.c');
    expect(missingVariable(['a', 'b', 'c'], { a: '', b: 0, c: false })).toBeUndefined();
  });
});

describe('a template that cannot be used', () => {
  it.each([
    ['{{> partial}}', 1, /partials/],
    ['a\n{{=<% %>=}}', 2, /delimiters/],
    ['a\nb\n{{name', 3, /not closed/],
    ['{{name}', 1, /not closed/],
    ['{{{name}}', 1, /not closed/],
    ['a\n{{#x}}', 2, /Unclosed section "x"/],
    ['{{#x}}{{/y}}', 1, /Unclosed section "x"/],
    ['a\n\n{{/x}}', 3, /Unopened section "x"/],
    ['{{}}', 1, /no name/],
    ['{{a..b}}', 1, /empty part/],
    ['{{{{a}}}}', 1, /brace/],
    ['a\0b', 1, /control character/],
  ])('%j: the error names the line %d and says why', (source, line, message) => {
    const error = errorOf(() => compileTemplate(source, 'text'));
    expect(error).toMatchObject({ name: 'TemplateError', code: 'TEMPLATE_INVALID', line });
    expect(error.message).toMatch(message);
  });

  it('is refused by a TemplateError and nothing else, whatever it is', () => {
    const piece = fc.constantFrom(
      '{{',
      '}}',
      '{',
      '}',
      '#',
      '^',
      '/',
      '!',
      '&',
      '>',
      '=',
      'a',
      'b',
      '.',
      ' ',
      '\n',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        try {
          render(pieces.join(''), { a: ['x', { b: 'y' }], b: 'z' }, 'html');
        } catch (error) {
          expect(error).toBeInstanceOf(TemplateError);
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('is refused when it is too long or nested too deep', () => {
    expect(errorOf(() => compileTemplate('x'.repeat(600_000), 'text')).code).toBe('TEMPLATE_TOO_LARGE');
    expect(errorOf(() => compileTemplate('{{#a}}'.repeat(17) + '{{/a}}'.repeat(17), 'text')).message).toMatch(
      /nested/,
    );
    expect(errorOf(() => compileTemplate(`{{${' '.repeat(400_000)}`, 'text')).message).toMatch(/not closed/);
  });

  it('is stopped when rendering it would take too much space or work', () => {
    const list = Array.from({ length: 1000 }, () => 'x'.repeat(100));
    expect(errorOf(() => render('{{#l}}{{#l}}{{.}}{{/l}}{{/l}}', { l: list }))).toMatchObject({
      code: 'TEMPLATE_TOO_LARGE',
      message: expect.stringMatching(/characters/),
    });
    expect(errorOf(() => render('{{#l}}'.repeat(10) + '{{/l}}'.repeat(10), { l: list })).code).toBe(
      'TEMPLATE_TOO_LARGE',
    );
    expect(errorOf(() => render('{{#l}}{{#l}}{{/l}}{{/l}}', { l: list })).code).toBe('TEMPLATE_TOO_LARGE');
  });
});
