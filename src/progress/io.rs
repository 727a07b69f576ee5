//! Readers and writers that count their bytes on a job.

use std::io::{self, BufRead, IoSlice, IoSliceMut, Read, Seek, SeekFrom, Write};
#[cfg(any(feature = "futures-io", feature = "tokio"))]
use std::pin::Pin;
#[cfg(any(feature = "futures-io", feature = "tokio"))]
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use crate::board::job::Job;

/// Counts the bytes of a reader or writer as the progress of a job.
///
/// The result implements what the inner value does: [`Read`], [`BufRead`], [`Write`] and
/// [`Seek`], with the feature `futures-io` the traits `AsyncRead`, `AsyncBufRead`,
/// `AsyncWrite` and `AsyncSeek` of futures, and with the feature `tokio` those of tokio. A
/// seek sets the position to the new offset.
///
/// The job finishes when a read reaches the end, or when an asynchronous writer is closed
/// or shut down. A synchronous writer has no end:
/// [`finish`](WrapIo::finish) states it. If the job has other handles, they keep it running;
/// it has finished if no byte follows before the last of them is dropped. Otherwise a job
/// whose adapter is dropped has finished if it reached its total, and is cancelled if not,
/// as after an error.
///
/// # Examples
///
/// ```
/// use std::io::{self, Read};
///
/// use active_status::progress::wrap_io;
/// use active_status::{Event, JobOptions, Outcome, ProgressStyle, board};
///
/// # fn main() -> io::Result<()> {
/// let (board, mut events) = board();
/// let file = &b"twelve bytes"[..];
/// let options = JobOptions::new().prefix("read: ").style(ProgressStyle::bytes());
/// let job = board.add_job(options.total(file.len() as u64));
/// let mut text = String::new();
/// wrap_io(file, job).read_to_string(&mut text)?;
///
/// let Some(Event::Ended { outcome, .. }) = events.drain().last() else { unreachable!() };
/// assert_eq!(outcome, Outcome::Finished);
/// # Ok(())
/// # }
/// ```
///
/// A copy that fails half-way is cancelled:
///
/// ```
/// use std::io;
///
/// use active_status::progress::wrap_io;
/// use active_status::{Event, JobOptions, Outcome, board};
///
/// let (board, mut events) = board();
/// let job = board.add_job(JobOptions::new().prefix("write: ").total(12));
/// let mut room = [0; 4];
/// let mut file = wrap_io(&mut room[..], job);
/// assert!(io::copy(&mut &b"twelve bytes"[..], &mut file).is_err());
/// assert_eq!(file.job().position(), 4);
/// drop(file);
///
/// let Some(Event::Ended { outcome, .. }) = events.drain().last() else { unreachable!() };
/// assert_eq!(outcome, Outcome::Cancelled);
/// ```
#[doc(alias = "wrap_read")]
#[doc(alias = "wrap_write")]
#[doc(alias = "wrap_async_read")]
#[doc(alias = "wrap_async_write")]
pub const fn wrap_io<T>(inner: T, job: Job) -> WrapIo<T> {
    WrapIo { inner, job }
}

pin_project! {
    /// The reader or writer returned by [`wrap_io`].
    #[derive(Debug)]
    pub struct WrapIo<T> {
        #[pin]
        inner: T,
        job: Job,
    }
}

impl<T> WrapIo<T> {
    /// Returns the job.
    pub const fn job(&self) -> &Job {
        &self.job
    }

    /// Returns a reference to the inner value.
    pub const fn get_ref(&self) -> &T {
        &self.inner
    }

    /// Returns the inner value. The job continues through its other handles or, without
    /// any, ends as if the adapter were dropped.
    pub fn into_inner(self) -> T {
        self.inner
    }

    /// Finishes the job and returns the inner value.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::Write;
    ///
    /// use active_status::board;
    /// use active_status::progress::wrap_io;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let (board, events) = board();
    /// let job = board.add_job("save: ");
    /// let mut file = wrap_io(Vec::new(), job.clone());
    /// file.write_all(b"twelve bytes")?;
    /// file.flush()?;
    /// assert_eq!(file.finish(), b"twelve bytes");
    /// assert_eq!((job.position(), job.is_ended()), (12, true));
    /// # drop(events);
    /// # Ok(())
    /// # }
    /// ```
    pub fn finish(self) -> T {
        self.job.finish();
        self.inner
    }
}

/// Counts bytes that were read or written. A read of no bytes into a buffer with room is
/// the end.
fn count_bytes(job: &Job, count: usize, has_room: bool) {
    match count {
        0 if has_room => job.complete(),
        0 => {}
        _ => job.tick_by(count as u64),
    }
}

impl<T: Read> Read for WrapIo<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        count_bytes(&self.job, count, !buffer.is_empty());
        Ok(count)
    }

    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let count = self.inner.read_vectored(buffers)?;
        count_bytes(&self.job, count, buffers.iter().any(|buffer| !buffer.is_empty()));
        Ok(count)
    }
}

impl<T: BufRead> BufRead for WrapIo<T> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let bytes = self.inner.fill_buf()?;
        if bytes.is_empty() {
            self.job.complete();
        }
        Ok(bytes)
    }

    fn consume(&mut self, count: usize) {
        self.inner.consume(count);
        count_bytes(&self.job, count, false);
    }
}

impl<T: Write> Write for WrapIo<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        count_bytes(&self.job, count, false);
        Ok(count)
    }

    fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        let count = self.inner.write_vectored(buffers)?;
        count_bytes(&self.job, count, false);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<T: Seek> Seek for WrapIo<T> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let offset = self.inner.seek(to)?;
        self.job.set_position(offset);
        Ok(offset)
    }

    fn stream_position(&mut self) -> io::Result<u64> {
        self.inner.stream_position()
    }
}

#[cfg(feature = "futures-io")]
mod futures {
    use futures_io::{AsyncBufRead, AsyncRead, AsyncSeek, AsyncWrite};

    use super::{
        Context, IoSlice, IoSliceMut, Pin, Poll, SeekFrom, WrapIo, count_bytes, io, ready,
    };

    impl<T: AsyncRead> AsyncRead for WrapIo<T> {
        fn poll_read(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buffer: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            let this = self.project();
            let count = ready!(this.inner.poll_read(cx, buffer))?;
            count_bytes(this.job, count, !buffer.is_empty());
            Poll::Ready(Ok(count))
        }

        fn poll_read_vectored(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buffers: &mut [IoSliceMut<'_>],
        ) -> Poll<io::Result<usize>> {
            let this = self.project();
            let count = ready!(this.inner.poll_read_vectored(cx, buffers))?;
            count_bytes(this.job, count, buffers.iter().any(|buffer| !buffer.is_empty()));
            Poll::Ready(Ok(count))
        }
    }

    impl<T: AsyncBufRead> AsyncBufRead for WrapIo<T> {
        fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
            let this = self.project();
            let bytes = ready!(this.inner.poll_fill_buf(cx))?;
            if bytes.is_empty() {
                this.job.complete();
            }
            Poll::Ready(Ok(bytes))
        }

        fn consume(self: Pin<&mut Self>, count: usize) {
            let this = self.project();
            this.inner.consume(count);
            count_bytes(this.job, count, false);
        }
    }

    impl<T: AsyncWrite> AsyncWrite for WrapIo<T> {
        fn poll_write(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let this = self.project();
            let count = ready!(this.inner.poll_write(cx, bytes))?;
            count_bytes(this.job, count, false);
            Poll::Ready(Ok(count))
        }

        fn poll_write_vectored(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buffers: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let this = self.project();
            let count = ready!(this.inner.poll_write_vectored(cx, buffers))?;
            count_bytes(this.job, count, false);
            Poll::Ready(Ok(count))
        }

        fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.project().inner.poll_flush(cx)
        }

        fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            let this = self.project();
            ready!(this.inner.poll_close(cx))?;
            this.job.complete();
            Poll::Ready(Ok(()))
        }
    }

    impl<T: AsyncSeek> AsyncSeek for WrapIo<T> {
        fn poll_seek(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            to: SeekFrom,
        ) -> Poll<io::Result<u64>> {
            let this = self.project();
            let offset = ready!(this.inner.poll_seek(cx, to))?;
            this.job.set_position(offset);
            Poll::Ready(Ok(offset))
        }
    }
}

#[cfg(feature = "tokio")]
mod tokio {
    use ::tokio::io::{AsyncBufRead, AsyncRead, AsyncSeek, AsyncWrite, ReadBuf};

    use super::{Context, IoSlice, Pin, Poll, SeekFrom, WrapIo, count_bytes, io, ready};

    impl<T: AsyncRead> AsyncRead for WrapIo<T> {
        fn poll_read(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let this = self.project();
            let (before, room) = (buffer.filled().len(), buffer.remaining());
            ready!(this.inner.poll_read(cx, buffer))?;
            count_bytes(this.job, buffer.filled().len() - before, room > 0);
            Poll::Ready(Ok(()))
        }
    }

    impl<T: AsyncBufRead> AsyncBufRead for WrapIo<T> {
        fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
            let this = self.project();
            let bytes = ready!(this.inner.poll_fill_buf(cx))?;
            if bytes.is_empty() {
                this.job.complete();
            }
            Poll::Ready(Ok(bytes))
        }

        fn consume(self: Pin<&mut Self>, count: usize) {
            let this = self.project();
            this.inner.consume(count);
            count_bytes(this.job, count, false);
        }
    }

    impl<T: AsyncWrite> AsyncWrite for WrapIo<T> {
        fn poll_write(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let this = self.project();
            let count = ready!(this.inner.poll_write(cx, bytes))?;
            count_bytes(this.job, count, false);
            Poll::Ready(Ok(count))
        }

        fn poll_write_vectored(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buffers: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let this = self.project();
            let count = ready!(this.inner.poll_write_vectored(cx, buffers))?;
            count_bytes(this.job, count, false);
            Poll::Ready(Ok(count))
        }

        fn is_write_vectored(&self) -> bool {
            self.inner.is_write_vectored()
        }

        fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.project().inner.poll_flush(cx)
        }

        fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            let this = self.project();
            ready!(this.inner.poll_shutdown(cx))?;
            this.job.complete();
            Poll::Ready(Ok(()))
        }
    }

    impl<T: AsyncSeek> AsyncSeek for WrapIo<T> {
        fn start_seek(self: Pin<&mut Self>, to: SeekFrom) -> io::Result<()> {
            self.project().inner.start_seek(to)
        }

        fn poll_complete(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
            let this = self.project();
            let offset = ready!(this.inner.poll_complete(cx))?;
            this.job.set_position(offset);
            Poll::Ready(Ok(offset))
        }
    }
}
