// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/ctl/top.h"

#include "base/clock.h"
#include "gw/tools/ctl/complain.h"
#include "gw/tools/ctl/connection.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define EVERY_MS 2000
#define COLUMNS  80
#define ROWS     24

static volatile sig_atomic_t ended, resized;
static struct termios before;

static void on_signal(int signo)
{
	if (signo == SIGWINCH)
		resized = 1;
	else
		ended = 1;
}

static void terminal_begin(void)
{
	// What is written goes on; poll() returns at a signal all the same.
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	struct termios raw;

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	sigaction(SIGWINCH, &action, NULL);
	signal(SIGTSTP, SIG_IGN); // the screen would be left as it is
	if (!tcgetattr(STDIN_FILENO, &before)) {
		raw = before;
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		raw.c_cc[VMIN] = 0;
		raw.c_cc[VTIME] = 0;
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	fputs("\033[?1049h\033[?25l", stdout); // a screen of its own, without a cursor
}

static void terminal_end(void)
{
	fputs("\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

static void size_read(struct top_screen *screen)
{
	struct winsize size;
	bool known = !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col && size.ws_row;

	screen->columns = known ? size.ws_col : COLUMNS;
	screen->rows = known ? size.ws_row : ROWS;
}

// Heads of tables are in capitals.
static bool is_head(const char *row)
{
	const char *word = row + strspn(row, " ");

	return word[0] >= 'A' && word[0] <= 'Z' && word[1] >= 'A' && word[1] <= 'Z';
}

static void terminal_draw(const struct top_screen *screen)
{
	fputs("\033[H", stdout);
	for (unsigned i = 0; i < screen->used; i++) {
		const char *row = screen->row[i];
		const char *look = !strncmp(row, "ALARM", 5) ? "\033[7m"
			: is_head(row)                       ? "\033[1m"
							     : "";

		// No line end behind the last row, which would scroll.
		printf("%s%s%s\033[K%s", look, row, *look ? "\033[0m" : "",
			i + 1 < screen->used ? "\n" : "");
	}
	fputs("\033[J", stdout);
	fflush(stdout);
}

// Waits until it is time, or something else is to be done. Returns the key that was pressed, 0 for
// none.
static int key_wait(uint64_t until_ms)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
	uint64_t now = clock_ms();
	char key = 0;

	if (ended || resized || now >= until_ms || poll(&in, 1, (int)(until_ms - now)) <= 0)
		return 0;
	if (read(STDIN_FILENO, &key, 1) == 1)
		return key;
	ended = 1; // nobody is there any more
	return 0;
}

// Draws until somebody ends it. Returns an enum cli_exit.
static int top_run(struct cli *cli, struct top_screen *screen)
{
	struct top_sample sample[2] = {{.ms = 0}, {.ms = 0}};
	unsigned current = 0;
	bool paused = false, two = false;
	int ret = top_sample_take(cli, &sample[current]);
	uint64_t next_ms = clock_ms() + EVERY_MS / 4; // rates, soon

	while (ret == CLI_OK && !ended) {
		resized = 0;
		size_read(screen);
		top_draw(screen, &sample[current], two ? &sample[!current] : NULL, paused);
		terminal_draw(screen);
		int key = key_wait(paused ? next_ms + EVERY_MS : next_ms);

		if (key == 'q' || key == 'Q' || key == 27)
			break;
		if (key == ' ' || key == 'p')
			paused = !paused;
		if (clock_ms() < next_ms)
			continue;
		next_ms = clock_ms() + EVERY_MS;
		if (paused)
			continue;
		current = !current;
		top_sample_free(&sample[current]);
		ret = top_sample_take(cli, &sample[current]);
		two = true;
	}
	top_sample_free(&sample[0]);
	top_sample_free(&sample[1]);
	return ret;
}

// One screen, for a file or a pipe.
static int top_once(struct cli *cli, struct top_screen *screen)
{
	struct top_sample now = {.ms = 0}, then = {.ms = 0};
	int ret = top_sample_take(cli, &then);

	if (ret == CLI_OK) {
		poll(NULL, 0, EVERY_MS / 2);
		ret = top_sample_take(cli, &now);
	}
	screen->columns = COLUMNS;
	screen->rows = TOP_ROWS_MAX;
	if (ret == CLI_OK)
		top_draw(screen, &now, &then, false);
	for (unsigned i = 0; ret == CLI_OK && i < screen->used; i++)
		puts(screen->row[i]);
	top_sample_free(&now);
	top_sample_free(&then);
	return ret;
}

int cli_top(struct cli *cli, const char *argument)
{
	struct top_screen *screen = calloc(1, sizeof(*screen));
	int ret;

	if (!screen || cli->json) {
		cli_complain(
			screen ? "top is for people: stats --json has the counters" : "no memory");
		free(screen);
		return CLI_USAGE;
	}
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		ret = top_once(cli, screen);
	} else {
		terminal_begin();
		ret = top_run(cli, screen);
		terminal_end();
	}
	free(screen);
	return ret;
}
