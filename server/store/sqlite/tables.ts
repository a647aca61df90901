import type { DatabaseSync } from 'node:sqlite';
import type { Tables as OperationTables } from '../operations/tables.ts';
import { BatchTable } from './batch-table.ts';
import { ContentTable } from './content-table.ts';
import { DuplicateTable } from './duplicate-table.ts';
import type { GroupHooks } from './group-commit.ts';
import { HistoryTable } from './history-table.ts';
import { InstanceTable } from './instance-table.ts';
import { LoanTable } from './loan-table.ts';
import { RecipientTable } from './recipient-table.ts';
import { SpanTable } from './span-table.ts';
import { SuspicionTable } from './suspicion-table.ts';
import { TaskTable } from './task-table.ts';

/** All the operations' tools, with every statement prepared. */
export class Tables implements GroupHooks, OperationTables {
  readonly batches: BatchTable;
  readonly contents: ContentTable;
  readonly recipients: RecipientTable;
  readonly spans: SpanTable;
  readonly history: HistoryTable;
  readonly tasks: TaskTable;
  readonly loans: LoanTable;
  readonly instance: InstanceTable;
  readonly duplicates: DuplicateTable;
  readonly suspicions: SuspicionTable;

  constructor(database: DatabaseSync) {
    this.batches = new BatchTable(database);
    this.contents = new ContentTable(database);
    this.recipients = new RecipientTable(database);
    this.spans = new SpanTable(database);
    this.history = new HistoryTable(database);
    this.tasks = new TaskTable(database);
    this.loans = new LoanTable(database);
    this.instance = new InstanceTable(database);
    this.duplicates = new DuplicateTable(database);
    this.suspicions = new SuspicionTable(database);
  }

  flush(): void {
    this.batches.flush();
    this.tasks.flush();
  }

  committed(): void {
    this.batches.committedGroup();
    this.tasks.committedGroup();
  }

  rolledBack(): void {
    this.batches.rolledBack();
    this.tasks.rolledBack();
  }
}
