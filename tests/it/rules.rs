//! The rules of the board, as the page `src/guide/board.md` has them, and for each
//! claim of a rule the tests that fail when it is broken.
//!
//! A test is named by its file and its function: `job::the_first_end_wins` stands
//! in `tests/it/job.rs`, `console/screen::…` in `src/console/screen.rs`.

use std::collections::BTreeSet;

use crate::tidy::{files, read, root};

/// The rules in the order of the page: claims, and the tests of each.
const RULES: [&[(&str, &[&str])]; 24] = [
    &[
        (
            "from any thread, before and after anything shows the board",
            &[
                "job::any_sequence_of_updates_is_told",
                "job::ticks_of_eight_threads_add_up_under_a_busy_reader",
                "board::without_events_every_update_does_nothing",
                "console::a_board_that_is_closed_may_be_shut_down_and_told_more",
                "console::a_terminal_that_is_gone_does_not_stop_those_who_use_the_board",
            ],
        ),
        ("a tick takes no lock", &["board/cell::a_tick_takes_no_lock"]),
        ("a tick allocates nothing", &["job::a_tick_allocates_nothing_but_for_the_first"]),
        (
            "texts are formatted before any lock is taken",
            &["job::a_display_may_update_its_own_job", "job::a_style_may_update_its_own_job"],
        ),
    ],
    &[
        (
            "messages are in the order of the calls",
            &[
                "board::lines_and_jobs_keep_their_order",
                "board::everything_goes_where_it_is_needed",
            ],
        ),
        (
            "the latest text counts and ticks add up",
            &[
                "job::only_what_is_new_is_told",
                "job::what_was_told_is_what_was_said_however_it_is_read",
            ],
        ),
        ("three messages a job wait", &["job::a_job_has_at_most_three_messages_waiting"]),
        (
            "the last state arrives, before the end",
            &[
                "job::the_last_state_comes_before_the_end",
                "job::the_last_text_of_each_thread_arrives_under_a_busy_reader",
                "board/events::an_update_that_stopped_before_it_was_queued_is_told_at_the_close",
                "board/events::an_update_that_was_queued_behind_the_end_is_told_before_it",
                "board/word::no_tick_is_lost",
                "board/word::no_text_is_lost",
            ],
        ),
        (
            "a console looks when a frame is due",
            &["console::before_its_time_the_stream_is_not_looked_at"],
        ),
        (
            "other readers look when they like",
            &[
                "events::a_sampled_stream_looks_at_once_and_then_rests",
                "events::readiness_takes_nothing",
                "events::a_drain_ends_though_a_worker_goes_on",
            ],
        ),
        (
            "without events, updates do nothing and hold nothing",
            &[
                "board::without_events_every_update_does_nothing",
                "board::dropped_events_hold_nothing_of_what_waited",
            ],
        ),
    ],
    &[
        (
            "a stream for any consumer",
            &[
                "events::events_of_a_thread_arrive_on_an_executor",
                "events::the_stream_ends_after_the_close_and_stays_so",
                "events::forwarding_ends_with_its_receiver",
            ],
        ),
        (
            "times are those of the calls",
            &[
                "job::times_are_those_of_the_calls",
                "board::the_time_of_the_close_is_that_of_the_first_call",
            ],
        ),
        (
            "words are made when the news is taken",
            &["job::a_style_is_asked_when_its_news_is_taken"],
        ),
        ("a style that panics is given up", &["job::a_style_that_panics_is_not_asked_again"]),
        ("events go over a wire", &["board/event::events_go_over_a_wire_and_back"]),
        (
            "several consumers, and a recorded run once more",
            &[
                "tee::each_reader_folds_to_the_same_model_as_a_sole_reader",
                "json::a_record_folds_to_the_model_of_the_events",
                "replay::at_every_event_a_replay_shows_what_the_run_did",
            ],
        ),
    ],
    &[
        ("from 1 on each board", &["job::ids_count_from_one_on_each_board"]),
        ("a row is described at first", &["job::options_are_the_row_at_first"]),
    ],
    &[
        (
            "how it ended",
            &[
                "job::the_last_handle_that_goes_cancels_the_job",
                "job::a_handle_dropped_by_a_panic_panicked",
                "frame::the_end_of_the_board_ends_every_row",
            ],
        ),
        (
            "the first end wins, later updates do nothing",
            &[
                "job::the_first_end_wins",
                "job::updates_after_the_end_do_nothing",
                "job::ticks_between_the_end_and_its_reader_do_nothing",
            ],
        ),
        ("the colours of ends", &["console/frame::an_end_that_is_no_success_colours_the_row"]),
        (
            "a mark and the message follow the text",
            &[
                "frame::an_outcome_can_be_read",
                "frame::a_mark_stands_one_space_behind_what_there_is",
            ],
        ),
        (
            "detached rows and those with the time finish",
            &[
                "job::a_detached_job_outlives_its_handles",
                "frame::the_end_of_the_board_ends_every_row",
                "model::counts_tell_what_became_of_the_jobs",
            ],
        ),
    ],
    &[
        (
            "any sequence",
            &[
                "job::any_sequence_of_updates_is_told",
                "job::what_was_told_is_what_was_said_however_it_is_read",
                "model::events_that_make_no_sense_change_nothing",
            ],
        ),
        (
            "any numbers",
            &[
                "job::a_job_that_was_given_no_total_counts_without_one",
                "frame::progress_stands_behind_the_text",
                "board/word::positions_stop_at_the_highest",
            ],
        ),
        (
            "any text",
            &[
                "frame::controls_are_no_part_of_a_row",
                "console::ten_megabytes_in_one_update_are_one_row",
            ],
        ),
    ],
    &[
        ("a row a worker", &["status::each_worker_of_a_pool_has_a_row"]),
        (
            "the job goes to the constructor",
            &["status::the_constructor_is_handed_the_job_of_its_row"],
        ),
        (
            "done, whoever else holds the job",
            &[
                "status::a_worker_that_ends_is_done",
                "status::the_end_of_the_stream_ends_the_job_whoever_holds_it",
            ],
        ),
    ],
    &[
        (
            "cancelled, or panicked by its own poll",
            &[
                "status::a_worker_dropped_before_its_end_is_cancelled",
                "status::a_worker_whose_poll_panics_panicked",
                "status::a_worker_dropped_by_anothers_panic_is_cancelled",
            ],
        ),
        (
            "the last item by its size hint",
            &[
                "status::the_item_that_is_the_last_ends_the_job",
                "status::an_item_that_may_not_be_the_last_leaves_the_job_alone",
            ],
        ),
        (
            "an `Err` colours, and fails if it is the last",
            &[
                "status::an_err_that_comes_last_is_the_failure",
                "status::an_err_that_does_not_come_last_colours_the_row",
                "status::a_worker_dropped_after_an_err_has_failed",
                "status::an_err_is_an_item_like_others_unless_it_is_to_fail",
            ],
        ),
        (
            "the stream has the last word",
            &["status::the_destructor_of_the_stream_has_the_last_word"],
        ),
        ("items become updates", &["status::items_become_updates_of_their_workers_job"]),
        (
            "size hints and termination",
            &["status::size_hints_and_terminations_are_those_of_the_stream"],
        ),
    ],
    &[
        (
            "prefix, text, progress",
            &["frame::a_row_is_its_prefix_and_its_text", "frame::progress_stands_behind_the_text"],
        ),
        ("colours", &["console/ansi::a_status_is_a_colour_of_the_whole_row"]),
        (
            "bold for a second, then italic if it completed",
            &[
                "console/frame::a_row_is_bold_for_a_second_after_its_news_and_italic_when_it_leaves",
                "model::a_row_dims_a_second_after_its_last_news",
                "job::an_update_that_changes_nothing_is_news_all_the_same",
            ],
        ),
        ("an outcome can be read", &["frame::an_outcome_can_be_read"]),
    ],
    &[
        ("a bar and numbers", &["frame::progress_stands_behind_the_text"]),
        ("a spinner", &["frame::a_spinner_turns_when_the_position_changes"]),
        (
            "styles and closures",
            &[
                "progress::styles_put_the_numbers_into_words",
                "progress::a_closure_sees_how_far_and_how_fast",
            ],
        ),
        ("the time left does not rise", &["progress::between_ticks_the_time_left_never_rises"]),
    ],
    &[("zones, and one move", &["frame::completed_running_and_pinned_rows_have_zones"])],
    &[
        (
            "once, in order, and never touched again",
            &[
                "console/screen::each_job_and_line_stands_once_in_order",
                "schedules::whatever_is_done_all_that_ended_is_there_once_and_in_order",
                "console/screen::a_row_that_left_is_followed_by_the_rows_that_run",
                "model::a_completed_row_does_not_dim_before_the_one_above_it",
            ],
        ),
        (
            "a line comes after what completed",
            &["frame::a_line_comes_after_what_completed_before_it"],
        ),
        (
            "completed rows leave where there is no room",
            &["frame::completed_rows_leave_before_running_ones_are_hidden"],
        ),
    ],
    &[
        ("a pinned row", &["board::elapsed_time_is_a_pinned_row_without_a_handle"]),
        ("words", &["board/duration::times_in_words_and_in_short"]),
        (
            "each full second, without a timer",
            &[
                "console::time_that_passes_is_drawn",
                "model::the_next_change_is_neither_early_nor_late",
            ],
        ),
        (
            "never bold",
            &["console/frame::a_row_is_bold_for_a_second_after_its_news_and_italic_when_it_leaves"],
        ),
    ],
    &[
        (
            "in steps",
            &[
                "frame::a_row_without_news_says_so_in_steps",
                "model::a_row_hints_at_its_silence_in_steps",
            ],
        ),
        ("faintly", &["console/ansi::the_end_of_a_row_may_be_faint"]),
        ("not all rows", &["frame::pinned_detached_and_elapsed_rows_are_silent"]),
    ],
    &[
        (
            "ten a second, the first at once, the last state always",
            &[
                "console::the_first_frame_is_drawn_at_once",
                "console::frames_are_a_tenth_of_a_second_apart_and_the_last_state_is_drawn",
                "console::a_busy_board_is_written_ten_times_a_second",
            ],
        ),
        (
            "idle it neither wakes nor writes",
            &[
                "console::a_board_with_nothing_to_change_does_not_wake",
                "console::an_idle_board_sleeps_until_a_drawn_character_changes",
                "console/screen::nothing_is_written_while_nothing_changes",
            ],
        ),
    ],
    &[
        (
            "one write, shown at once, modes as they were",
            &[
                "console::a_busy_board_is_written_ten_times_a_second",
                "console/screen::a_frame_is_shown_at_once_and_leaves_the_modes_as_they_were",
            ],
        ),
        (
            "only its own rows, no question, nothing hidden",
            &[
                "console/screen::each_job_and_line_stands_once_in_order",
                "console/screen::a_line_above_a_board_as_high_as_the_screen_does_not_erase_the_whole_screen",
                "terminal::an_interrupt_leaves_the_terminal_as_it_was",
            ],
        ),
        (
            "cut and measured",
            &[
                "frame::the_text_is_cut_first_then_the_bar_then_the_end",
                "frame::no_row_is_wider_than_the_screen_but_one",
                "console/text::a_cut_tears_nothing_apart",
            ],
        ),
        (
            "progress in the tab",
            &[
                "terminal_progress::it_is_part_of_the_one_write_of_a_frame",
                "terminal_progress::at_the_end_the_terminal_shows_no_progress",
                "terminal_progress::nothing_is_told_unless_it_is_asked_for_or_known_to_be_understood",
            ],
        ),
        (
            "only what changed, mended after a second",
            &[
                "console/screen::only_rows_that_changed_are_sent",
                "console/screen::damage_by_others_heals_after_a_second",
            ],
        ),
        (
            "sizes",
            &[
                "frame::a_screen_of_unknown_size_is_as_most_are",
                "frame::every_size_is_drawn",
                "frame::rows_without_room_are_counted",
            ],
        ),
    ],
    &[
        ("which are shown", &["frame::pinned_rows_come_first_then_errors_then_news"]),
        (
            "places are kept while bold",
            &[
                "console/frame::a_row_keeps_its_place_until_it_is_dim",
                "console/frame::an_error_takes_the_place_of_a_bold_row",
            ],
        ),
        (
            "the others are counted",
            &[
                "frame::rows_without_room_are_counted",
                "frame::pinned_rows_come_first_then_errors_then_news",
            ],
        ),
    ],
    &[(
        "nothing glued, lost or repeated; what stood above stays",
        &[
            "console/screen::resizes_lose_and_repeat_nothing_and_leave_what_stood_above",
            "console/screen::one_column_and_one_row_and_back_harms_nothing_above",
            "console/screen::narrower_and_wider_again_leaves_the_rows_as_they_are",
            "terminal::a_terminal_that_is_resized_has_each_row_once",
        ],
    )],
    &[
        (
            "no worker waits",
            &[
                "console::a_stalled_terminal_keeps_no_worker_waiting",
                "console::events_are_taken_while_the_terminal_is_stalled",
                "terminal::a_terminal_that_nobody_reads_keeps_no_worker_waiting",
            ],
        ),
        (
            "the latest frame and all that completed",
            &[
                "console::a_stalled_terminal_gets_the_latest_frame_and_all_that_ended_meanwhile",
                "console/terminal::buffers_that_wait_are_written_together",
            ],
        ),
        (
            "printed lines have a limit, and those left out are counted",
            &[
                "board::lines_beyond_the_limit_are_counted_in_their_place",
                "board::bytes_of_lines_have_a_limit_too",
                "console::no_more_than_a_mebibyte_of_lines_is_taken_for_a_stalled_terminal",
            ],
        ),
    ],
    &[
        (
            "whole and in order",
            &[
                "board::a_line_is_a_line_each",
                "board::lines_of_one_call_stay_together",
                "loggers::events_of_tracing_are_lines_whole_and_in_order",
                "loggers::records_of_env_logger_are_lines_whole_and_in_order",
            ],
        ),
        (
            "what is written waits for its newline",
            &[
                "board::a_written_line_waits_for_its_newline",
                "board::a_written_line_without_newline_is_printed_with_the_drop",
            ],
        ),
        (
            "colours and links",
            &[
                "console/ansi::printed_lines_keep_styles_and_links_and_end_them",
                "console/screen::a_printed_line_keeps_its_colours_and_loses_other_sequences",
            ],
        ),
        ("in a log as they were", &["console::what_is_printed_is_on_a_plain_board_as_it_was"]),
    ],
    &[
        (
            "a close refuses, tells, and is the last",
            &[
                "board::what_is_said_after_the_close_is_not_told",
                "board::the_close_comes_once_after_all_that_was_said_before",
                "events::the_stream_ends_after_the_close_and_stays_so",
            ],
        ),
        (
            "the last frame, twice or by a drop",
            &[
                "console::a_board_that_is_shut_down_has_shown_all_that_was_said",
                "schedules::whatever_is_done_all_that_ended_is_there_once_and_in_order",
                "console::a_board_that_is_dropped_is_shut_down",
                "console::a_board_that_is_closed_may_be_shut_down_and_told_more",
                "console/screen::the_last_frame_stays_and_what_follows_is_below",
            ],
        ),
        (
            "two seconds at most",
            &[
                "console::at_the_end_a_terminal_that_takes_nothing_is_waited_for_two_seconds",
                "console::a_terminal_that_takes_nothing_does_not_hold_up_the_shutdown",
            ],
        ),
        (
            "a panic has its last frame below",
            &[
                "console::a_panic_has_its_last_frame_below_the_message",
                "console::after_work_that_panicked_the_last_frame_is_below_the_message",
                "console::after_a_job_that_panicked_the_board_goes_on_below_the_message",
            ],
        ),
        ("Ctrl-C", &["terminal::an_interrupt_leaves_the_terminal_as_it_was"]),
        (
            "an output that is gone",
            &[
                "console::a_terminal_that_is_gone_ends_the_drawing_and_not_the_work",
                "terminal::a_stderr_that_nobody_reads_any_more_does_not_stop_the_work",
                "terminal::a_stderr_that_is_closed_does_not_stop_the_work",
            ],
        ),
    ],
    &[
        (
            "live or in lines",
            &[
                "console/terminal::rows_are_live_on_a_terminal_that_is_not_dumb_outside_ci",
                "terminal::on_a_terminal_the_board_is_live_and_coloured",
                "terminal::on_a_dumb_terminal_in_ci_and_if_lines_are_to_stay_the_board_is_plain",
                "terminal::stderr_in_a_file_holds_useful_lines_and_no_escapes",
            ],
        ),
        (
            "colours",
            &[
                "console/terminal::colour_is_on_by_force_or_on_a_terminal_and_off_by_no_color",
                "terminal::without_colour_the_board_is_still_live",
            ],
        ),
    ],
    &[
        (
            "news is a line, the first is not",
            &[
                "console/plain::what_a_job_starts_with_is_not_said",
                "console/plain::a_new_text_is_said_at_once_with_its_prefix",
                "console/plain::a_text_said_again_says_nothing",
            ],
        ),
        (
            "one in five seconds, and the last",
            &[
                "console/plain::a_job_says_one_thing_in_five_seconds_and_then_the_latest",
                "plain::the_first_text_is_said_at_once_and_the_last_when_five_seconds_are_over",
            ],
        ),
        ("each tenth", &["console/plain::progress_is_said_at_each_tenth"]),
        (
            "ends",
            &["console/plain::an_end_is_said_at_once_with_the_last_state_the_outcome_and_the_time"],
        ),
        (
            "silence",
            &[
                "console/plain::silence_is_broken_by_what_still_runs",
                "plain::silence_is_broken_after_half_a_minute",
            ],
        ),
        ("the last line", &["console/plain::the_last_line_counts_the_outcomes"]),
        (
            "no escape sequences",
            &[
                "plain::no_escape_gets_into_a_log_from_a_job",
                "terminal::stderr_in_a_file_holds_useful_lines_and_no_escapes",
            ],
        ),
    ],
    &[
        ("a model and a frame", &["frame::a_row_is_its_prefix_and_its_text"]),
        (
            "a clock and a screen",
            &[
                "kit::a_pool_is_seen_at_every_step",
                "kit::a_clock_stands_until_it_is_told_to_go_on",
                "kit::a_screen_shows_what_a_console_draws",
            ],
        ),
        (
            "any clock, size and output",
            &[
                "console::time_that_passes_is_drawn",
                "console::a_board_that_is_opened_has_the_clock_of_the_console",
            ],
        ),
    ],
];

#[test]
fn every_rule_of_the_page_has_its_tests() {
    let page = read(&root().join("src/guide/board.md"));
    let number = |line: &str| line.split_once(". ")?.0.parse().ok();
    let rules: Vec<usize> = page.lines().filter_map(number).collect();
    assert_eq!(rules, (1..=RULES.len()).collect::<Vec<_>>(), "the rules of the page");
    for (claims, rule) in RULES.iter().zip(1..) {
        assert!(!claims.is_empty(), "rule {rule}");
        assert!(claims.iter().all(|(_, tests)| !tests.is_empty()), "rule {rule}");
    }
}

#[test]
fn every_test_of_a_rule_is_there() {
    let tests = tests();
    let named = RULES.iter().copied().flatten().flat_map(|(_, tests)| tests.iter().copied());
    let missing: Vec<&str> = named.filter(|name| !tests.contains(*name)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

/// All tests of the repository, by file and function.
fn tests() -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    for folder in ["src", "tests/it"] {
        for file in files(folder) {
            let inside = file.strip_prefix(root().join(folder)).expect("a file in it");
            let Some(room) = inside.to_str().and_then(|path| path.strip_suffix(".rs")) else {
                continue;
            };
            let room = room.replace(std::path::MAIN_SEPARATOR, "/");
            let text = read(&file);
            let functions = text.split("#[test]\n").skip(1).filter_map(|rest| {
                let (name, _) = rest.trim_start().strip_prefix("fn ")?.split_once('(')?;
                Some(name)
            });
            tests.extend(functions.map(|name| format!("{room}::{name}")));
        }
    }
    tests
}
